//! The load tool alone, for work on it while the hub is being rebuilt: `cargo run -p rollcall-bench --example bench -- load …`.

use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    bench: rollcall_bench::BenchArgs,
}

fn main() -> Result<(), rollcall_bench::BenchError> {
    rollcall_bench::run(Line::parse().bench)
}
