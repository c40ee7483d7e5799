//! The tables of S3 Metadata, which only AWS keeps: asked for, other stores say no.

use holdfs::s3::Operation;
use holdfs::s3::settings::metadata::{
    AnnotationTable, CreateBucketMetadataConfiguration, CreateBucketMetadataTableConfiguration,
    DeleteBucketMetadataConfiguration, DeleteBucketMetadataTableConfiguration,
    GetBucketMetadataConfiguration, GetBucketMetadataTableConfiguration, InventoryTable, JournalTable,
    MetadataConfiguration, MetadataTable, RecordExpiration, TableState, TablesDestination,
    UpdateBucketMetadataAnnotationTableConfiguration, UpdateBucketMetadataInventoryTableConfiguration,
    UpdateBucketMetadataJournalTableConfiguration,
};

use super::super::{lacks_or_fails, taken};
use super::filled_bucket;
use crate::mounted::harness::Bucket;

fn journal() -> JournalTable {
    let expiration = RecordExpiration { expiration: TableState::Enabled, days: Some(10) };
    JournalTable { expiration, encryption: None }
}

/// What cannot be read back was not done, whatever the store says.
fn done<O: Operation>(bucket: &Bucket<'_>, operation: &O, is_kept: bool) {
    if taken(O::NAME, bucket.send(operation)).is_some() && !is_kept {
        lacks_or_fails(&format!("{}: taken and not kept", O::NAME), "it cannot be got");
    }
}

#[test]
fn the_tables_of_a_bucket_are_made_switched_and_removed() {
    let bucket = filled_bucket();
    let name = || bucket.name.clone();
    let get = GetBucketMetadataConfiguration { bucket: name() };
    let known = taken("GetBucketMetadataConfiguration", bucket.send(&get)).is_some();
    let configuration = MetadataConfiguration { journal: journal(), inventory: None, annotations: None };
    done(&bucket, &CreateBucketMetadataConfiguration { bucket: name(), configuration }, known);
    let table = journal();
    done(&bucket, &UpdateBucketMetadataJournalTableConfiguration { bucket: name(), table }, known);
    let table = InventoryTable { state: TableState::Enabled, encryption: None };
    done(&bucket, &UpdateBucketMetadataInventoryTableConfiguration { bucket: name(), table }, known);
    let table = AnnotationTable { state: TableState::Disabled, encryption: None, role: None };
    done(&bucket, &UpdateBucketMetadataAnnotationTableConfiguration { bucket: name(), table }, known);
    done(&bucket, &DeleteBucketMetadataConfiguration { bucket: name() }, known);
}

#[test]
fn the_first_kind_of_table_is_made_and_removed() {
    let bucket = filled_bucket();
    let name = || bucket.name.clone();
    let get = GetBucketMetadataTableConfiguration { bucket: name() };
    let known = taken("GetBucketMetadataTableConfiguration", bucket.send(&get)).is_some();
    let destination =
        TablesDestination { bucket: "arn:aws:s3tables:us-east-1:1:bucket/b".into(), name: "t".into() };
    let configuration = MetadataTable { destination };
    done(&bucket, &CreateBucketMetadataTableConfiguration { bucket: name(), configuration }, known);
    done(&bucket, &DeleteBucketMetadataTableConfiguration { bucket: name() }, known);
}
