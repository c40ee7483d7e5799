//! S3 Metadata and ABAC: configurations that are kept and told. The tables themselves would be another service:
//! their status says that they are not there.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketMetadataConfiguration.html>

use http::StatusCode;
use s3s::{Body, S3Request, S3Response, S3Result};

use super::Api;
use super::beyond::{document, replied};
use super::xml::{XMLNS, Xml, leaves, malformed};
use crate::embedded::operation::Target;
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::refusal::Refusal;

const SECOND: &str = "metadataConfiguration";
const FIRST: &str = "metadataTable";
const GROUPS: [&str; 6] = [
    "JournalTableConfiguration",
    "InventoryTableConfiguration",
    "AnnotationTableConfiguration",
    "RecordExpiration",
    "EncryptionConfiguration",
    "S3TablesDestination",
];

/// A table: its element in the configuration, and the sub-resource that changes it alone.
struct Table {
    element: &'static str,
    subresource: &'static str,
}

const TABLES: [Table; 3] = [
    Table { element: "JournalTableConfiguration", subresource: "metadataJournalTable" },
    Table { element: "InventoryTableConfiguration", subresource: "metadataInventoryTable" },
    Table { element: "AnnotationTableConfiguration", subresource: "metadataAnnotationTable" },
];

fn absent() -> Refusal {
    Refusal::new(404, "MetadataConfigurationNotFound", "The metadata configuration was not found")
}

fn text(request: &S3Request<Body>) -> Result<String, Refusal> {
    String::from_utf8(document(request).to_vec()).map_err(|_| malformed("the document is not UTF-8"))
}

fn done() -> S3Response<Body> {
    replied(StatusCode::OK, String::new())
}

type Leaves = Vec<(String, String)>;

/// What the configuration says of one table; nothing if it has none.
fn table(bucket: &Bucket, table: &Table) -> Leaves {
    let read = |text: &str, root: &str| leaves(text.as_bytes(), root, &GROUPS).unwrap_or_default();
    if let Some(own) = bucket.settings.documents.get(table.subresource, "") {
        return read(own, table.element);
    }
    let whole = bucket.settings.documents.get(SECOND, "").map(|text| read(text, "MetadataConfiguration"));
    let below = format!("{}/", table.element);
    let of_table =
        |(path, text): (String, String)| path.strip_prefix(&below).map(|path| (path.to_owned(), text));
    whole.unwrap_or_default().into_iter().filter_map(of_table).collect()
}

fn no_tables(xml: &mut Xml) {
    xml.element("TableStatus", "FAILED");
    xml.group("Error", |xml| {
        xml.element("ErrorCode", "NotImplemented");
        xml.element("ErrorMessage", "This server keeps the configuration, but no tables");
    });
}

impl Api {
    pub(super) async fn metadata_configuration(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let bucket = target.in_bucket()?;
        match target.operation {
            "CreateBucketMetadataConfiguration" => {
                self.create(request, bucket, SECOND, "MetadataConfiguration").await
            }
            "CreateBucketMetadataTableConfiguration" => {
                self.create(request, bucket, FIRST, "MetadataTableConfiguration").await
            }
            "DeleteBucketMetadataConfiguration" => self.forget(bucket, SECOND).await,
            "DeleteBucketMetadataTableConfiguration" => self.forget(bucket, FIRST).await,
            "GetBucketMetadataConfiguration" => self.tell_second(bucket),
            "GetBucketMetadataTableConfiguration" => self.tell_first(bucket),
            "UpdateBucketMetadataInventoryTableConfiguration" => {
                self.update(request, bucket, &TABLES[1]).await
            }
            "UpdateBucketMetadataAnnotationTableConfiguration" => {
                self.update(request, bucket, &TABLES[2]).await
            }
            _ => self.update(request, bucket, &TABLES[0]).await,
        }
    }

    async fn create(
        &self,
        request: &S3Request<Body>,
        bucket: &str,
        kind: &'static str,
        root: &str,
    ) -> S3Result<S3Response<Body>> {
        let text = text(request)?;
        let found = leaves(text.as_bytes(), root, &GROUPS)?;
        if found.is_empty() {
            return Err(malformed("the configuration is empty").into());
        }
        let put = |bucket: &mut Bucket| {
            if bucket.settings.documents.get(kind, "").is_some() {
                let message = "A metadata configuration already exists for this bucket";
                return Err(Refusal::new(409, "MetadataConfigurationAlreadyExists", message));
            }
            bucket.settings.documents.put(kind, "", text)
        };
        self.store.set(bucket, put).await?;
        Ok(done())
    }

    async fn forget(&self, bucket: &str, kind: &'static str) -> S3Result<S3Response<Body>> {
        let remove = |bucket: &mut Bucket| {
            let documents = &mut bucket.settings.documents;
            if kind == SECOND {
                for table in &TABLES {
                    documents.remove(table.subresource, "");
                }
            }
            if documents.remove(kind, "") { Ok(()) } else { Err(absent()) }
        };
        self.store.set(bucket, remove).await?;
        Ok(replied(StatusCode::NO_CONTENT, String::new()))
    }

    async fn update(
        &self,
        request: &S3Request<Body>,
        bucket: &str,
        table: &Table,
    ) -> S3Result<S3Response<Body>> {
        let text = text(request)?;
        leaves(text.as_bytes(), table.element, &GROUPS)?;
        let put = |bucket: &mut Bucket| {
            bucket.settings.documents.get(SECOND, "").ok_or_else(absent)?;
            bucket.settings.documents.put(table.subresource, "", text)
        };
        self.store.set(bucket, put).await?;
        Ok(done())
    }

    fn tell_second(&self, bucket: &str) -> S3Result<S3Response<Body>> {
        let tables = self.store.read(bucket, |bucket| {
            bucket.settings.documents.get(SECOND, "").ok_or_else(absent)?;
            Ok(TABLES.map(|kind| (kind.element, table(bucket, &kind))))
        })?;
        let mut xml = Xml::new("GetBucketMetadataConfigurationResult");
        xml.group("MetadataConfigurationResult", |xml| {
            xml.group("DestinationResult", |xml| xml.element("TableBucketType", "aws"));
            for (element, leaves) in tables.iter().filter(|(_, leaves)| !leaves.is_empty()) {
                xml.group(&format!("{element}Result"), |xml| {
                    let leaf =
                        |path: &str| leaves.iter().find(|(at, _)| at == path).map(|(_, text)| text.as_str());
                    xml.some("ConfigurationState", leaf("ConfigurationState"));
                    no_tables(xml);
                    if let Some(expiration) = leaf("RecordExpiration/Expiration") {
                        xml.group("RecordExpiration", |xml| {
                            xml.element("Expiration", expiration);
                            xml.some("Days", leaf("RecordExpiration/Days"));
                        });
                    }
                    xml.some("Role", leaf("Role"));
                });
            }
        });
        Ok(replied(StatusCode::OK, xml.end()))
    }

    fn tell_first(&self, bucket: &str) -> S3Result<S3Response<Body>> {
        let found = self.store.read(bucket, |bucket| {
            let text = bucket.settings.documents.get(FIRST, "").ok_or_else(absent)?;
            leaves(text.as_bytes(), "MetadataTableConfiguration", &GROUPS)
        })?;
        let leaf = |path: &str| found.iter().find(|(at, _)| at == path).map_or("", |(_, text)| text);
        let mut xml = Xml::new("GetBucketMetadataTableConfigurationResult");
        xml.group("MetadataTableConfigurationResult", |xml| {
            xml.group("S3TablesDestinationResult", |xml| {
                xml.element("TableBucketArn", leaf("S3TablesDestination/TableBucketArn"));
                xml.element("TableName", leaf("S3TablesDestination/TableName"));
                xml.element("TableNamespace", "aws_s3_metadata");
            });
        });
        xml.element("Status", "FAILED");
        xml.group("Error", |xml| {
            xml.element("ErrorCode", "NotImplemented");
            xml.element("ErrorMessage", "This server keeps the configuration, but no table");
        });
        Ok(replied(StatusCode::OK, xml.end()))
    }

    pub(super) fn get_bucket_abac(&self, target: &Target) -> S3Result<S3Response<Body>> {
        let found = self.store.read(target.in_bucket()?, |bucket| {
            Ok(bucket.settings.documents.get("abac", "").map(str::to_owned))
        })?;
        let disabled = || format!("<AbacStatus {XMLNS}><Status>Disabled</Status></AbacStatus>");
        Ok(replied(StatusCode::OK, found.unwrap_or_else(disabled)))
    }

    pub(super) async fn put_bucket_abac(
        &self,
        request: &S3Request<Body>,
        target: &Target,
    ) -> S3Result<S3Response<Body>> {
        let text = text(request)?;
        let found = leaves(text.as_bytes(), "AbacStatus", &[])?;
        let legal = |(path, state): &(String, String)| {
            path == "Status" && ["Enabled", "Disabled"].contains(&&**state)
        };
        if !found.iter().any(legal) {
            return Err(malformed("the Status is Enabled or Disabled").into());
        }
        self.store.set(target.in_bucket()?, |bucket| bucket.settings.documents.put("abac", "", text)).await?;
        Ok(done())
    }
}
