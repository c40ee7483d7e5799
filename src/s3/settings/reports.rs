//! What a bucket reports about itself, and the tiers its objects move between: metrics, analytics, inventory,
//! intelligent tiering.

use bytes::Bytes;

use super::filter::{ObjectFilter, Tag};
use super::named::{NamedPage, NamedSetting, decode_page};
use crate::s3::Result;
use crate::s3::document::{self, Empty, Toggle, document, words};

document! {
    /// Counts requests for a part of a bucket.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html>
    #[derive(Eq)]
    pub struct Metrics {
        id: String = "Id",
        filter: Option<MetricsFilter> = "Filter",
    }

    /// Exactly one of the fields; `and` to combine.
    #[derive(Default, Eq)]
    pub struct MetricsFilter {
        prefix: Option<String> = "Prefix",
        tag: Option<Tag> = "Tag",
        access_point: Option<String> = "AccessPointArn",
        and: Option<MetricsAnd> = "And",
    }

    /// All of them.
    #[derive(Default, Eq)]
    pub struct MetricsAnd {
        prefix: Option<String> = "Prefix",
        tags: Vec<Tag> = "Tag",
        access_point: Option<String> = "AccessPointArn",
    }

    /// Watches how often objects are read, to tell which could move to a cheaper class.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAnalyticsConfiguration.html>
    #[derive(Eq)]
    pub struct Analytics {
        id: String = "Id",
        filter: Option<ObjectFilter> = "Filter",
        analysis: StorageClassAnalysis = "StorageClassAnalysis",
    }

    #[derive(Default, Eq)]
    pub struct StorageClassAnalysis {
        export: Option<DataExport> = "DataExport",
    }

    #[derive(Eq)]
    pub struct DataExport {
        /// `V_1`.
        version: String = "OutputSchemaVersion",
        destination: AnalyticsDestination = "Destination",
    }

    #[derive(Eq)]
    pub struct AnalyticsDestination {
        bucket: AnalyticsBucket = "S3BucketDestination",
    }

    #[derive(Eq)]
    pub struct AnalyticsBucket {
        /// `CSV`.
        format: String = "Format",
        account: Option<String> = "BucketAccountId",
        /// ARN.
        bucket: String = "Bucket",
        prefix: Option<String> = "Prefix",
    }

    /// Lists the bucket's objects regularly, into another bucket.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketInventoryConfiguration.html>
    #[derive(Eq)]
    pub struct Inventory {
        destination: InventoryDestination = "Destination",
        enabled: bool = "IsEnabled",
        filter: Option<InventoryFilter> = "Filter",
        id: String = "Id",
        versions: IncludedVersions = "IncludedObjectVersions",
        fields: Option<InventoryFields> = "OptionalFields",
        schedule: InventorySchedule = "Schedule",
    }

    #[derive(Eq)]
    pub struct InventoryDestination {
        bucket: InventoryBucket = "S3BucketDestination",
    }

    #[derive(Eq)]
    pub struct InventoryBucket {
        account: Option<String> = "AccountId",
        /// ARN.
        bucket: String = "Bucket",
        /// `CSV`, `ORC` or `Parquet`; IBM: `CSV`.
        format: String = "Format",
        prefix: Option<String> = "Prefix",
        encryption: Option<InventoryEncryption> = "Encryption",
    }

    /// One of the two.
    #[derive(Default, Eq)]
    pub struct InventoryEncryption {
        sse_s3: Option<Empty> = "SSE-S3",
        sse_kms: Option<InventoryKey> = "SSE-KMS",
    }

    #[derive(Eq)]
    pub struct InventoryKey {
        key_id: String = "KeyId",
    }

    #[derive(Eq)]
    pub struct InventoryFilter {
        prefix: String = "Prefix",
    }

    /// Such as `Size`, `LastModifiedDate`, `StorageClass`, `ETag`, `ObjectLockMode`.
    #[derive(Default, Eq)]
    pub struct InventoryFields {
        fields: Vec<String> = "Field",
    }

    #[derive(Eq)]
    pub struct InventorySchedule {
        frequency: InventoryFrequency = "Frequency",
    }

    /// When objects of the class INTELLIGENT_TIERING go to its archive tiers.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketIntelligentTieringConfiguration.html>
    #[derive(Eq)]
    pub struct IntelligentTiering {
        id: String = "Id",
        filter: Option<ObjectFilter> = "Filter",
        status: Toggle = "Status",
        tierings: Vec<Tiering> = "Tiering",
    }

    #[derive(Eq)]
    pub struct Tiering {
        /// Without access: 90 to 730 for `ARCHIVE_ACCESS`, 180 to 730 for `DEEP_ARCHIVE_ACCESS`.
        days: u32 = "Days",
        access_tier: ArchiveTier = "AccessTier",
    }
}

words! {
    pub enum IncludedVersions {
        All = "All",
        Current = "Current",
    }

    pub enum InventoryFrequency {
        Daily = "Daily",
        Weekly = "Weekly",
    }

    pub enum ArchiveTier {
        Archive = "ARCHIVE_ACCESS",
        DeepArchive = "DEEP_ARCHIVE_ACCESS",
    }
}

impl NamedSetting for Metrics {
    const SUBRESOURCE: &'static str = "metrics";
    const GET: &'static str = "GetBucketMetricsConfiguration";
    const PUT: &'static str = "PutBucketMetricsConfiguration";
    const DELETE: &'static str = "DeleteBucketMetricsConfiguration";
    const LIST: &'static str = "ListBucketMetricsConfigurations";

    fn id(&self) -> &str {
        &self.id
    }

    fn encode(&self) -> Result<Bytes> {
        document::encode("MetricsConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("MetricsConfiguration", document)
    }

    fn decode_page(document: &[u8]) -> Result<NamedPage<Self>> {
        decode_page(document, "MetricsConfiguration")
    }
}

impl NamedSetting for Analytics {
    const SUBRESOURCE: &'static str = "analytics";
    const GET: &'static str = "GetBucketAnalyticsConfiguration";
    const PUT: &'static str = "PutBucketAnalyticsConfiguration";
    const DELETE: &'static str = "DeleteBucketAnalyticsConfiguration";
    const LIST: &'static str = "ListBucketAnalyticsConfigurations";

    fn id(&self) -> &str {
        &self.id
    }

    fn encode(&self) -> Result<Bytes> {
        document::encode("AnalyticsConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("AnalyticsConfiguration", document)
    }

    fn decode_page(document: &[u8]) -> Result<NamedPage<Self>> {
        decode_page(document, "AnalyticsConfiguration")
    }
}

impl NamedSetting for Inventory {
    const SUBRESOURCE: &'static str = "inventory";
    const GET: &'static str = "GetBucketInventoryConfiguration";
    const PUT: &'static str = "PutBucketInventoryConfiguration";
    const DELETE: &'static str = "DeleteBucketInventoryConfiguration";
    const LIST: &'static str = "ListBucketInventoryConfigurations";

    fn id(&self) -> &str {
        &self.id
    }

    fn encode(&self) -> Result<Bytes> {
        document::encode("InventoryConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("InventoryConfiguration", document)
    }

    fn decode_page(document: &[u8]) -> Result<NamedPage<Self>> {
        decode_page(document, "InventoryConfiguration")
    }
}

impl NamedSetting for IntelligentTiering {
    const SUBRESOURCE: &'static str = "intelligent-tiering";
    const GET: &'static str = "GetBucketIntelligentTieringConfiguration";
    const PUT: &'static str = "PutBucketIntelligentTieringConfiguration";
    const DELETE: &'static str = "DeleteBucketIntelligentTieringConfiguration";
    const LIST: &'static str = "ListBucketIntelligentTieringConfigurations";

    fn id(&self) -> &str {
        &self.id
    }

    fn encode(&self) -> Result<Bytes> {
        document::encode("IntelligentTieringConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("IntelligentTieringConfiguration", document)
    }

    fn decode_page(document: &[u8]) -> Result<NamedPage<Self>> {
        decode_page(document, "IntelligentTieringConfiguration")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::named_survives;
    use super::*;

    #[test]
    fn metrics_as_in_the_reference() {
        let metrics: Metrics = named_survives(
            r#"<MetricsConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
   <Id>ImportantBlueDocuments</Id>
   <Filter>
     <And>
       <Prefix>documents/</Prefix>
       <Tag><Key>priority</Key><Value>high</Value></Tag>
       <Tag><Key>class</Key><Value>blue</Value></Tag>
       <AccessPointArn>arn:aws:s3:us-west-2:1:accesspoint/a</AccessPointArn>
     </And>
   </Filter>
</MetricsConfiguration>"#,
        );
        assert_eq!(metrics.filter.unwrap().and.unwrap().tags.len(), 2);
    }

    #[test]
    fn analytics_as_in_the_reference() {
        let analytics: Analytics = named_survives(
            r#"<AnalyticsConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Id>XXX</Id>
  <Filter>
    <And>
      <Prefix>documents/</Prefix>
      <Tag><Key>foo</Key><Value>bar</Value></Tag>
    </And>
  </Filter>
  <StorageClassAnalysis>
    <DataExport>
      <OutputSchemaVersion>V_1</OutputSchemaVersion>
      <Destination>
        <S3BucketDestination>
          <Format>CSV</Format>
          <BucketAccountId>123456789012</BucketAccountId>
          <Bucket>arn:aws:s3:::destination-bucket</Bucket>
          <Prefix>destination-prefix</Prefix>
        </S3BucketDestination>
      </Destination>
    </DataExport>
  </StorageClassAnalysis>
</AnalyticsConfiguration>"#,
        );
        let export = analytics.analysis.export.unwrap();
        assert_eq!(export.destination.bucket.bucket, "arn:aws:s3:::destination-bucket");
    }

    #[test]
    fn inventory_as_in_the_reference() {
        let inventory: Inventory = named_survives(
            r#"<InventoryConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
   <Id>report1</Id>
   <IsEnabled>true</IsEnabled>
   <Filter><Prefix>filterPrefix</Prefix></Filter>
   <Destination>
      <S3BucketDestination>
         <Format>CSV</Format>
         <AccountId>123456789012</AccountId>
         <Bucket>arn:aws:s3:::destination-bucket</Bucket>
         <Prefix>prefix1</Prefix>
         <Encryption>
            <SSE-KMS><KeyId>arn:aws:kms:us-west-2:111122223333:key/1234abcd</KeyId></SSE-KMS>
         </Encryption>
      </S3BucketDestination>
   </Destination>
   <Schedule><Frequency>Daily</Frequency></Schedule>
   <IncludedObjectVersions>All</IncludedObjectVersions>
   <OptionalFields>
      <Field>Size</Field>
      <Field>LastModifiedDate</Field>
      <Field>ETag</Field>
      <Field>StorageClass</Field>
   </OptionalFields>
</InventoryConfiguration>"#,
        );
        assert_eq!((inventory.enabled, inventory.versions), (true, IncludedVersions::All));
        assert_eq!(inventory.fields.unwrap().fields.len(), 4);
    }

    #[test]
    fn intelligent_tiering_as_in_the_reference() {
        let tiering: IntelligentTiering = named_survives(
            r#"<IntelligentTieringConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
   <Id>archive</Id>
   <Filter><Prefix>documents/</Prefix></Filter>
   <Status>Enabled</Status>
   <Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering>
   <Tiering><AccessTier>DEEP_ARCHIVE_ACCESS</AccessTier><Days>180</Days></Tiering>
</IntelligentTieringConfiguration>"#,
        );
        assert_eq!(tiering.tierings[1], Tiering { days: 180, access_tier: ArchiveTier::DeepArchive });
    }
}
