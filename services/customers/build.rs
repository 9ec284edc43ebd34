//! Compiles the .proto files: messages, the service of tonic, and the descriptor that reflection serves.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;

const CUSTOMER: &str = "pando/customers/v1/customer.proto";
const SERVICE: &str = "pando/customers/v1/customers.proto";
/// The records of the pipeline.
const ARCHIVE: &str = "pando/customers/v1/archive.proto";
/// The same service by its older name.
const OLDER: &str = "customer/v1/customer.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    #[expect(
        clippy::disallowed_methods,
        reason = "so does cargo tell a build script where its results belong"
    )]
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("customers.bin"),
        protox::compile([SERVICE, ARCHIVE, OLDER], ["proto"])?.encode_to_vec(),
    )?;
    // Pairs in the order of their keys, so that equal messages have equal bytes.
    let generator =
        || tonic_prost_build::configure().build_client(false).build_transport(false).btree_map(".");
    let known = out.join("known");
    fs::create_dir_all(&known)?;
    // A customer is its known fields,
    generator().build_server(false).out_dir(known).compile_fds(protox::compile([CUSTOMER], ["proto"])?)?;
    // and in the messages of the service it keeps the others, too.
    generator()
        .extern_path(".pando.customers.v1.Customer", "::pando_wire::Raw<crate::messages::Customer>")
        .compile_fds(protox::compile([SERVICE, ARCHIVE], ["proto"])?)?;
    Ok(())
}
