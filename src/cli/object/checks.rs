//! `--checksum`: by which algorithm a store checks what is written, and keeps the value of.

use clap::Args;

use crate::s3::{ChecksumAlgorithm, Client};

#[derive(Args, Clone, Debug, Default)]
pub(super) struct Checks {
    /// The checksum that is sent and kept, such as SHA256 [default: CRC64NVME, where the store knows it].
    #[arg(long, value_name = "ALGORITHM", value_parser = algorithm)]
    checksum: Option<ChecksumAlgorithm>,
}

impl Checks {
    pub(super) fn given_to(&self, client: &Client) -> Client {
        client.with_checksum(self.checksum)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.checksum.is_none()
    }
}

fn algorithm(name: &str) -> Result<ChecksumAlgorithm, String> {
    let known = || ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::name).join(", ");
    ChecksumAlgorithm::parse(name).ok_or_else(|| format!("write one of {}", known()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_another_name_is_told_those_that_there_are() {
        assert_eq!(algorithm("sha256"), Ok(ChecksumAlgorithm::Sha256));
        let told = algorithm("sha3").unwrap_err();
        assert!(told.starts_with("write one of CRC32, ") && told.ends_with(", XXHASH128"), "{told}");
    }
}
