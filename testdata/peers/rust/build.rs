//! Compiles peer.proto, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../peer.proto");
    let files = protox::compile(["../peer.proto"], [".."])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
