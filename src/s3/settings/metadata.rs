//! S3 Metadata: tables that AWS keeps of a bucket's objects and of what happens to them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketMetadataConfiguration.html>
//!
//! The first version (one table, `metadataTable`) lives on beside the second (`metadataConfiguration`), whose three
//! tables are switched one by one.

use bytes::Bytes;
use http::Method;

use crate::s3::document::{self, document, words};
use crate::s3::operation::{Reply, Request};
use crate::s3::ops::on_bucket;
use crate::s3::{Error, Operation, Result};

words! {
    pub enum TableState {
        Enabled = "ENABLED",
        Disabled = "DISABLED",
    }
}

document! {
    #[derive(Eq)]
    pub struct MetadataConfiguration {
        journal: JournalTable = "JournalTableConfiguration",
        inventory: Option<InventoryTable> = "InventoryTableConfiguration",
        annotations: Option<AnnotationTable> = "AnnotationTableConfiguration",
    }

    #[derive(Eq)]
    pub struct JournalTable {
        expiration: RecordExpiration = "RecordExpiration",
        encryption: Option<TableEncryption> = "EncryptionConfiguration",
    }

    #[derive(Eq)]
    pub struct RecordExpiration {
        expiration: TableState = "Expiration",
        /// At least 7.
        days: Option<u32> = "Days",
    }

    #[derive(Eq)]
    pub struct TableEncryption {
        /// `aws:kms` or `AES256`.
        algorithm: String = "SseAlgorithm",
        kms_key: Option<String> = "KmsKeyArn",
    }

    #[derive(Eq)]
    pub struct InventoryTable {
        state: TableState = "ConfigurationState",
        encryption: Option<TableEncryption> = "EncryptionConfiguration",
    }

    #[derive(Eq)]
    pub struct AnnotationTable {
        state: TableState = "ConfigurationState",
        encryption: Option<TableEncryption> = "EncryptionConfiguration",
        /// ARN.
        role: Option<String> = "Role",
    }

    /// The three tables as they are.
    #[derive(Eq)]
    pub struct MetadataStatus {
        destination: TableDestination = "DestinationResult",
        journal: Option<TableStatus> = "JournalTableConfigurationResult",
        inventory: Option<TableStatus> = "InventoryTableConfigurationResult",
        annotations: Option<TableStatus> = "AnnotationTableConfigurationResult",
    }

    #[derive(Default, Eq)]
    pub struct TableDestination {
        /// `aws` or `customer`.
        bucket_type: Option<String> = "TableBucketType",
        bucket: Option<String> = "TableBucketArn",
        namespace: Option<String> = "TableNamespace",
    }

    #[derive(Default, Eq)]
    pub struct TableStatus {
        /// Not of the journal, which is always on.
        state: Option<TableState> = "ConfigurationState",
        /// `CREATING`, `BACKFILLING`, `ACTIVE`, `FAILED`.
        status: Option<String> = "TableStatus",
        error: Option<TableError> = "Error",
        name: Option<String> = "TableName",
        arn: Option<String> = "TableArn",
        /// Of the journal.
        expiration: Option<RecordExpiration> = "RecordExpiration",
        /// Of the annotations.
        role: Option<String> = "Role",
    }

    #[derive(Default, Eq)]
    pub struct TableError {
        code: Option<String> = "ErrorCode",
        message: Option<String> = "ErrorMessage",
    }

    /// The first version.
    #[derive(Eq)]
    pub struct MetadataTable {
        destination: TablesDestination = "S3TablesDestination",
    }

    #[derive(Eq)]
    pub struct TablesDestination {
        bucket: String = "TableBucketArn",
        name: String = "TableName",
    }

    /// The one table as it is.
    #[derive(Eq)]
    pub struct MetadataTableStatus {
        result: MetadataTableResult = "MetadataTableConfigurationResult",
        status: Option<String> = "Status",
        error: Option<TableError> = "Error",
    }

    #[derive(Eq)]
    pub struct MetadataTableResult {
        destination: TablesDestinationResult = "S3TablesDestinationResult",
    }

    #[derive(Eq)]
    pub struct TablesDestinationResult {
        bucket: String = "TableBucketArn",
        name: String = "TableName",
        arn: Option<String> = "TableArn",
        namespace: Option<String> = "TableNamespace",
    }

    #[derive(Eq)]
    pub struct MetadataResult {
        status: MetadataStatus = "MetadataConfigurationResult",
    }
}

/// Codes by which a store says that there is no such table.
const ABSENT: [&str; 2] = ["MetadataConfigurationNotFound", "NoSuchConfiguration"];

fn with_document(
    method: Method,
    bucket: &str,
    subresource: &'static str,
    document: Bytes,
) -> Result<Request> {
    Ok(on_bucket(method, bucket)?.with(subresource, "").with_document(document))
}

/// A verb that sends a document and hears nothing back.
macro_rules! sends {
    ($($(#[$meta:meta])* $name:ident($field:ident: $document:ty) = $method:ident $subresource:literal, $root:literal;)*) => {$(
        $(#[$meta])*
        #[doc = ""]
        #[doc = "Sends the document to the bucket."]
        #[derive(Clone, Debug)]
        pub struct $name {
            /// The bucket.
            pub bucket: String,
            /// The document.
            pub $field: $document,
        }

        impl Operation for $name {
            type Output = ();
            const NAME: &'static str = stringify!($name);

            fn encode(&self) -> Result<Request> {
                with_document(Method::$method, &self.bucket, $subresource, document::encode($root, &self.$field)?)
            }

            fn decode(&self, _reply: Reply) -> Result<()> {
                Ok(())
            }
        }
    )*};
}

sends! {
    CreateBucketMetadataConfiguration(configuration: MetadataConfiguration)
        = POST "metadataConfiguration", "MetadataConfiguration";
    /// The first version, superseded.
    CreateBucketMetadataTableConfiguration(configuration: MetadataTable)
        = POST "metadataTable", "MetadataTableConfiguration";
    UpdateBucketMetadataJournalTableConfiguration(table: JournalTable)
        = PUT "metadataJournalTable", "JournalTableConfiguration";
    UpdateBucketMetadataInventoryTableConfiguration(table: InventoryTable)
        = PUT "metadataInventoryTable", "InventoryTableConfiguration";
    UpdateBucketMetadataAnnotationTableConfiguration(table: AnnotationTable)
        = PUT "metadataAnnotationTable", "AnnotationTableConfiguration";
}

/// Output: [`MetadataStatus`]; `None` when the bucket has no tables.
#[derive(Clone, Debug, Default)]
pub struct GetBucketMetadataConfiguration {
    /// The bucket.
    pub bucket: String,
}

impl Operation for GetBucketMetadataConfiguration {
    type Output = Option<MetadataStatus>;
    const NAME: &'static str = "GetBucketMetadataConfiguration";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?.with("metadataConfiguration", ""))
    }

    fn decode(&self, reply: Reply) -> Result<Option<MetadataStatus>> {
        let result: MetadataResult =
            document::decode("GetBucketMetadataConfigurationResult", reply.document()?)?;
        Ok(Some(result.status))
    }

    fn recover(&self, error: &Error) -> Option<Option<MetadataStatus>> {
        ABSENT.contains(&error.code()).then_some(None)
    }
}

/// The first version. Output: [`MetadataTableStatus`]; `None` when the bucket has no table.
#[derive(Clone, Debug, Default)]
pub struct GetBucketMetadataTableConfiguration {
    /// The bucket.
    pub bucket: String,
}

impl Operation for GetBucketMetadataTableConfiguration {
    type Output = Option<MetadataTableStatus>;
    const NAME: &'static str = "GetBucketMetadataTableConfiguration";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::GET, &self.bucket)?.with("metadataTable", ""))
    }

    fn decode(&self, reply: Reply) -> Result<Option<MetadataTableStatus>> {
        document::decode("GetBucketMetadataTableConfigurationResult", reply.document()?).map(Some)
    }

    fn recover(&self, error: &Error) -> Option<Option<MetadataTableStatus>> {
        ABSENT.contains(&error.code()).then_some(None)
    }
}

/// S3 API: [DeleteBucketMetadataConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketMetadataConfiguration.html).
#[derive(Clone, Debug, Default)]
pub struct DeleteBucketMetadataConfiguration {
    /// The bucket.
    pub bucket: String,
}

impl Operation for DeleteBucketMetadataConfiguration {
    type Output = ();
    const NAME: &'static str = "DeleteBucketMetadataConfiguration";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::DELETE, &self.bucket)?.with("metadataConfiguration", ""))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

/// The first version.
#[derive(Clone, Debug, Default)]
pub struct DeleteBucketMetadataTableConfiguration {
    /// The bucket.
    pub bucket: String,
}

impl Operation for DeleteBucketMetadataTableConfiguration {
    type Output = ();
    const NAME: &'static str = "DeleteBucketMetadataTableConfiguration";

    fn encode(&self) -> Result<Request> {
        Ok(on_bucket(Method::DELETE, &self.bucket)?.with("metadataTable", ""))
    }

    fn decode(&self, _reply: Reply) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::ops::fixture::{reply, wire};

    const XMLNS: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

    #[test]
    fn tables_are_made_and_switched() {
        let journal = JournalTable {
            expiration: RecordExpiration { expiration: TableState::Enabled, days: Some(10) },
            encryption: None,
        };
        let inventory = InventoryTable { state: TableState::Disabled, encryption: None };
        let create = CreateBucketMetadataConfiguration {
            bucket: "b".into(),
            configuration: MetadataConfiguration {
                journal: journal.clone(),
                inventory: Some(inventory),
                annotations: None,
            },
        };
        let inside = "<RecordExpiration><Expiration>ENABLED</Expiration><Days>10</Days></RecordExpiration>";
        assert_eq!(
            wire(&create),
            format!(
                "POST /b?metadataConfiguration=\n<MetadataConfiguration {XMLNS}><JournalTableConfiguration>{inside}\
                 </JournalTableConfiguration><InventoryTableConfiguration><ConfigurationState>DISABLED\
                 </ConfigurationState></InventoryTableConfiguration></MetadataConfiguration>"
            )
        );
        assert!(create.encode().unwrap().needs_checksum);
        let update = UpdateBucketMetadataJournalTableConfiguration { bucket: "b".into(), table: journal };
        assert_eq!(
            wire(&update),
            format!(
                "PUT /b?metadataJournalTable=\n<JournalTableConfiguration {XMLNS}>{inside}</JournalTableConfiguration>"
            )
        );
        let annotations = AnnotationTable {
            state: TableState::Enabled,
            encryption: None,
            role: Some("arn:aws:iam::1:role/r".into()),
        };
        let update =
            UpdateBucketMetadataAnnotationTableConfiguration { bucket: "b".into(), table: annotations };
        assert!(wire(&update).starts_with("PUT /b?metadataAnnotationTable=\n<AnnotationTableConfiguration"));
        let table = InventoryTable { state: TableState::Enabled, encryption: None };
        let update = UpdateBucketMetadataInventoryTableConfiguration { bucket: "b".into(), table };
        assert!(wire(&update).starts_with("PUT /b?metadataInventoryTable=\n<InventoryTableConfiguration"));
        let delete = DeleteBucketMetadataConfiguration { bucket: "b".into() };
        assert_eq!(wire(&delete), "DELETE /b?metadataConfiguration=");
    }

    #[test]
    fn the_state_of_the_tables_is_read() {
        let get = GetBucketMetadataConfiguration { bucket: "b".into() };
        assert_eq!(wire(&get), "GET /b?metadataConfiguration=");
        let document = r#"<GetBucketMetadataConfigurationResult>
   <MetadataConfigurationResult>
      <DestinationResult>
         <TableBucketType>aws</TableBucketType>
         <TableBucketArn>arn:aws:s3tables:us-east-1:1:bucket/aws-s3</TableBucketArn>
         <TableNamespace>b_b</TableNamespace>
      </DestinationResult>
      <JournalTableConfigurationResult>
         <TableStatus>FAILED</TableStatus>
         <Error><ErrorCode>AccessDenied</ErrorCode><ErrorMessage>no</ErrorMessage></Error>
         <TableName>journal</TableName>
         <RecordExpiration><Expiration>DISABLED</Expiration></RecordExpiration>
      </JournalTableConfigurationResult>
      <InventoryTableConfigurationResult>
         <ConfigurationState>ENABLED</ConfigurationState><TableStatus>ACTIVE</TableStatus>
      </InventoryTableConfigurationResult>
   </MetadataConfigurationResult>
</GetBucketMetadataConfigurationResult>"#;
        let status = get.decode(reply(200, &[], document)).unwrap().unwrap();
        assert_eq!(status.destination.bucket_type.as_deref(), Some("aws"));
        let journal = status.journal.unwrap();
        assert_eq!(journal.error.unwrap().code.as_deref(), Some("AccessDenied"));
        assert_eq!(journal.expiration.unwrap().expiration, TableState::Disabled);
        assert_eq!(status.inventory.unwrap().state, Some(TableState::Enabled));
    }

    #[test]
    fn the_first_version_has_one_table() {
        let destination = TablesDestination { bucket: "arn:t".into(), name: "n".into() };
        let configuration = MetadataTable { destination };
        let create = CreateBucketMetadataTableConfiguration { bucket: "b".into(), configuration };
        assert_eq!(
            wire(&create),
            format!(
                "POST /b?metadataTable=\n<MetadataTableConfiguration {XMLNS}><S3TablesDestination><TableBucketArn>\
                 arn:t</TableBucketArn><TableName>n</TableName></S3TablesDestination></MetadataTableConfiguration>"
            )
        );
        let get = GetBucketMetadataTableConfiguration { bucket: "b".into() };
        let document = "<GetBucketMetadataTableConfigurationResult><MetadataTableConfigurationResult>\
            <S3TablesDestinationResult><TableBucketArn>arn:t</TableBucketArn><TableName>n</TableName>\
            <TableArn>arn:t/n</TableArn><TableNamespace>aws_s3_metadata</TableNamespace></S3TablesDestinationResult>\
            </MetadataTableConfigurationResult><Status>ACTIVE</Status></GetBucketMetadataTableConfigurationResult>";
        let status = get.decode(reply(200, &[], document)).unwrap().unwrap();
        assert_eq!(status.status.as_deref(), Some("ACTIVE"));
        let delete = DeleteBucketMetadataTableConfiguration { bucket: "b".into() };
        assert_eq!(wire(&delete), "DELETE /b?metadataTable=");
    }
}
