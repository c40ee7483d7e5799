//! Who is told what happens in a bucket.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html>
//!
//! There is no DELETE: an empty document removes them all. The older form (PutBucketNotification) has the same
//! elements, one of a kind, and is read into the same lists.

use bytes::Bytes;

use super::Setting;
use crate::s3::Result;
use crate::s3::document::{self, Empty, document};

document! {
    /// Up to 100 targets in all.
    #[derive(Default, Eq)]
    pub struct Notification {
        topics: Vec<TopicTarget> = "TopicConfiguration",
        queues: Vec<QueueTarget> = "QueueConfiguration",
        functions: Vec<FunctionTarget> = "CloudFunctionConfiguration",
        /// Everything goes to Amazon EventBridge.
        event_bridge: Option<Empty> = "EventBridgeConfiguration",
    }

    #[derive(Eq)]
    pub struct TopicTarget {
        id: Option<String> = "Id",
        /// ARN.
        topic: String = "Topic",
        /// Such as `s3:ObjectCreated:*`; at least one.
        events: Vec<String> = "Event",
        filter: Option<EventFilter> = "Filter",
    }

    #[derive(Eq)]
    pub struct QueueTarget {
        id: Option<String> = "Id",
        /// ARN; MinIO's are `arn:minio:sqs::ID:KIND`.
        queue: String = "Queue",
        events: Vec<String> = "Event",
        filter: Option<EventFilter> = "Filter",
    }

    #[derive(Eq)]
    pub struct FunctionTarget {
        id: Option<String> = "Id",
        /// ARN.
        function: String = "CloudFunction",
        events: Vec<String> = "Event",
        filter: Option<EventFilter> = "Filter",
        /// Only in the older form.
        invocation_role: Option<String> = "InvocationRole",
    }

    #[derive(Default, Eq)]
    pub struct EventFilter {
        key: Option<KeyFilter> = "S3Key",
    }

    #[derive(Default, Eq)]
    pub struct KeyFilter {
        rules: Vec<KeyFilterRule> = "FilterRule",
    }

    #[derive(Eq)]
    pub struct KeyFilterRule {
        /// `prefix` or `suffix`, each at most once.
        name: String = "Name",
        value: String = "Value",
    }
}

impl EventFilter {
    /// Keys that begin and end so; `None` where nothing is asked.
    pub fn of(prefix: Option<&str>, suffix: Option<&str>) -> Option<Self> {
        let rule = |name: &str, value: &str| KeyFilterRule { name: name.to_owned(), value: value.to_owned() };
        let rules: Vec<_> = [("prefix", prefix), ("suffix", suffix)]
            .into_iter()
            .filter_map(|(name, value)| Some(rule(name, value?)))
            .collect();
        (!rules.is_empty()).then_some(Self { key: Some(KeyFilter { rules }) })
    }
}

impl Setting for Notification {
    const SUBRESOURCE: &'static str = "notification";
    const GET: &'static str = "GetBucketNotificationConfiguration";
    const PUT: &'static str = "PutBucketNotificationConfiguration";
    const ABSENT: &'static [&'static str] = &[];

    fn encode(&self) -> Result<Bytes> {
        document::encode("NotificationConfiguration", self)
    }

    fn decode(document: &[u8]) -> Result<Self> {
        document::decode("NotificationConfiguration", document)
    }
}

#[cfg(test)]
mod tests {
    use super::super::PutSetting;
    use super::super::fixture::survives;
    use super::*;
    use crate::s3::ops::fixture::wire;

    #[test]
    fn notification_as_in_the_reference() {
        let notification: Notification = survives(
            r#"<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <TopicConfiguration>
    <Topic>arn:aws:sns:us-east-1:356671443308:s3notificationtopic2</Topic>
    <Event>s3:ReducedRedundancyLostObject</Event>
  </TopicConfiguration>
  <QueueConfiguration>
    <Id>1</Id>
    <Filter>
      <S3Key>
        <FilterRule><Name>prefix</Name><Value>images/</Value></FilterRule>
        <FilterRule><Name>suffix</Name><Value>jpg</Value></FilterRule>
      </S3Key>
    </Filter>
    <Queue>arn:aws:sqs:us-west-2:444455556666:s3notificationqueue</Queue>
    <Event>s3:ObjectCreated:Put</Event>
    <Event>s3:ObjectRemoved:*</Event>
  </QueueConfiguration>
  <CloudFunctionConfiguration>
    <Id>ObjectCreatedEvents</Id>
    <CloudFunction>arn:aws:lambda:us-west-2:35667example:function:CreateThumbnail</CloudFunction>
    <Event>s3:ObjectCreated:*</Event>
  </CloudFunctionConfiguration>
  <EventBridgeConfiguration/>
</NotificationConfiguration>"#,
        );
        assert_eq!(notification.queues[0].filter, EventFilter::of(Some("images/"), Some("jpg")));
        assert_eq!(notification.functions[0].events, ["s3:ObjectCreated:*"]);
        assert!(notification.event_bridge.is_some());
    }

    #[test]
    fn an_empty_document_removes_all() {
        let put = PutSetting { bucket: "b".into(), document: Notification::default() };
        assert_eq!(
            wire(&put),
            "PUT /b?notification=\n<NotificationConfiguration \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></NotificationConfiguration>"
        );
        assert_eq!(EventFilter::of(None, None), None);
    }
}
