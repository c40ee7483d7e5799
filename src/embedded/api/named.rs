//! Configuration documents of which a bucket has several, each with an id.

use std::fmt::Write;

use s3s::dto;
use s3s::{S3Request, S3Response, S3Result};

use super::Api;
use super::settings::{anything, no_content, ok, told, written};
use super::xml::{XMLNS, without_declaration};
use crate::embedded::storage::bucket::Bucket;
use crate::embedded::storage::refusal::Refusal;

/// A kind of document.
#[derive(Clone, Copy)]
struct Kind {
    subresource: &'static str,
    /// The root of a listing.
    list: &'static str,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketMetricsConfigurations.html>
const PAGE_MAX: usize = 100;

fn no_such_configuration() -> Refusal {
    Refusal::new(404, "NoSuchConfiguration", "The specified configuration does not exist.")
}

fn same_id(query: &str, document: &str) -> Result<(), Refusal> {
    if query == document {
        return Ok(());
    }
    Err(Refusal::argument("The configuration id in the query does not match the id in the document"))
}

impl Api {
    fn named_setting(&self, bucket: &str, subresource: &str, id: &str) -> Result<String, Refusal> {
        self.store.read(bucket, |bucket| {
            let found = bucket.settings.documents.get(subresource, id).map(str::to_owned);
            found.ok_or_else(no_such_configuration)
        })
    }

    async fn unset_named_setting(&self, bucket: &str, subresource: &str, id: &str) -> Result<(), Refusal> {
        let unset = |bucket: &mut Bucket| match bucket.settings.documents.remove(subresource, id) {
            true => Ok(()),
            false => Err(no_such_configuration()),
        };
        self.store.set(bucket, unset).await
    }

    /// A page of them; the token is the last id.
    fn named_settings(&self, bucket: &str, kind: Kind, token: Option<&str>) -> Result<String, Refusal> {
        let after = token.unwrap_or_default();
        let (documents, next) = self.store.read(bucket, |bucket| {
            let mut rest = bucket.settings.documents.list(kind.subresource, after);
            let page: Vec<_> = rest.by_ref().take(PAGE_MAX).collect();
            let next = rest.next().and_then(|_| page.last().map(|(id, _)| (*id).to_owned()));
            let documents: String = page.iter().map(|(_, document)| without_declaration(document)).collect();
            Ok((documents, next))
        })?;
        let root = kind.list;
        let mut text = format!("<{root} {XMLNS}>{documents}<IsTruncated>{}</IsTruncated>", next.is_some());
        if let Some(next) = next {
            // Ids are letters, digits, `-`, `_` and `.`.
            let _ = write!(text, "<NextContinuationToken>{next}</NextContinuationToken>");
        }
        Ok(format!("{text}</{root}>"))
    }
}

macro_rules! named_settings {
    ($($subresource:literal, $list_root:literal, $field:ident:
        $get:ident($get_input:ident, $get_output:ident)
        $put:ident($put_input:ident, $put_output:ident)
        $delete:ident($delete_input:ident, $delete_output:ident)
        $list:ident($list_input:ident, $list_output:ident);
    )*) => {
        impl Api {$(
            pub(super) async fn $get(
                &self,
                request: S3Request<dto::$get_input>,
            ) -> S3Result<S3Response<dto::$get_output>> {
                let document = self.named_setting(&request.input.bucket, $subresource, &request.input.id)?;
                Ok(told(dto::$get_output::default(), document))
            }

            pub(super) async fn $put(
                &self,
                request: S3Request<dto::$put_input>,
            ) -> S3Result<S3Response<dto::$put_output>> {
                let (document, input) = (written(&request)?, &request.input);
                same_id(&input.id, &input.$field.id)?;
                self.set_setting(&input.bucket, $subresource, &input.id, document, anything).await?;
                Ok(ok(dto::$put_output::default()))
            }

            pub(super) async fn $delete(
                &self,
                request: S3Request<dto::$delete_input>,
            ) -> S3Result<S3Response<dto::$delete_output>> {
                self.unset_named_setting(&request.input.bucket, $subresource, &request.input.id).await?;
                Ok(no_content(dto::$delete_output::default()))
            }

            pub(super) async fn $list(
                &self,
                request: S3Request<dto::$list_input>,
            ) -> S3Result<S3Response<dto::$list_output>> {
                let kind = Kind { subresource: $subresource, list: $list_root };
                let token = request.input.continuation_token.as_deref();
                let document = self.named_settings(&request.input.bucket, kind, token)?;
                Ok(told(dto::$list_output::default(), document))
            }
        )*}
    };
}

named_settings! {
    "analytics", "ListBucketAnalyticsConfigurationResult", analytics_configuration:
        get_bucket_analytics_configuration(GetBucketAnalyticsConfigurationInput, GetBucketAnalyticsConfigurationOutput)
        put_bucket_analytics_configuration(PutBucketAnalyticsConfigurationInput, PutBucketAnalyticsConfigurationOutput)
        delete_bucket_analytics_configuration(
            DeleteBucketAnalyticsConfigurationInput, DeleteBucketAnalyticsConfigurationOutput)
        list_bucket_analytics_configurations(
            ListBucketAnalyticsConfigurationsInput, ListBucketAnalyticsConfigurationsOutput);
    "intelligent-tiering", "ListBucketIntelligentTieringConfigurationsOutput", intelligent_tiering_configuration:
        get_bucket_intelligent_tiering_configuration(
            GetBucketIntelligentTieringConfigurationInput, GetBucketIntelligentTieringConfigurationOutput)
        put_bucket_intelligent_tiering_configuration(
            PutBucketIntelligentTieringConfigurationInput, PutBucketIntelligentTieringConfigurationOutput)
        delete_bucket_intelligent_tiering_configuration(
            DeleteBucketIntelligentTieringConfigurationInput, DeleteBucketIntelligentTieringConfigurationOutput)
        list_bucket_intelligent_tiering_configurations(
            ListBucketIntelligentTieringConfigurationsInput, ListBucketIntelligentTieringConfigurationsOutput);
    "inventory", "ListInventoryConfigurationsResult", inventory_configuration:
        get_bucket_inventory_configuration(GetBucketInventoryConfigurationInput, GetBucketInventoryConfigurationOutput)
        put_bucket_inventory_configuration(PutBucketInventoryConfigurationInput, PutBucketInventoryConfigurationOutput)
        delete_bucket_inventory_configuration(
            DeleteBucketInventoryConfigurationInput, DeleteBucketInventoryConfigurationOutput)
        list_bucket_inventory_configurations(
            ListBucketInventoryConfigurationsInput, ListBucketInventoryConfigurationsOutput);
    "metrics", "ListMetricsConfigurationsResult", metrics_configuration:
        get_bucket_metrics_configuration(GetBucketMetricsConfigurationInput, GetBucketMetricsConfigurationOutput)
        put_bucket_metrics_configuration(PutBucketMetricsConfigurationInput, PutBucketMetricsConfigurationOutput)
        delete_bucket_metrics_configuration(
            DeleteBucketMetricsConfigurationInput, DeleteBucketMetricsConfigurationOutput)
        list_bucket_metrics_configurations(
            ListBucketMetricsConfigurationsInput, ListBucketMetricsConfigurationsOutput);
}
