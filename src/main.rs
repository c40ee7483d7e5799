fn main() -> std::process::ExitCode {
    holdfs::cli::main(std::env::args_os().collect())
}
