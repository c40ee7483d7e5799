//! Fuzz targets: each feeds what the engine makes up to an entry point of holdfs, which must neither panic nor break
//! what it promises there. `scripts/fuzz` runs them.

#[cfg(all(test, fuzzing))]
mod targets {
    use bolero::check;

    #[test]
    fn replies() {
        check!().for_each(holdfs::s3::fuzz::replies);
    }

    #[test]
    fn documents() {
        check!().for_each(holdfs::s3::fuzz::documents);
    }

    #[test]
    fn texts() {
        check!().for_each(holdfs::s3::fuzz::texts);
    }

    #[test]
    fn frames() {
        check!().for_each(holdfs::s3::fuzz::frames);
    }

    #[test]
    fn names() {
        check!().for_each(holdfs::namespace::fuzz::names);
    }
}
