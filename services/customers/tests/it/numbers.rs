//! The numbers of fields: once published, they mean the same for ever.

use std::collections::BTreeSet;

use pando_customers::messages::descriptor;
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};

/// Every field that was ever published. A field that is given up keeps its line, and its number is reserved in the message.
const PUBLISHED: &str = include_str!("../../proto/numbers.txt");

fn fields(message: &DescriptorProto, within: &str) -> Vec<String> {
    let name = format!("{within}.{}", message.name());
    let own = message.field.iter().map(|field| {
        let repeated = if field.label() == prost_types::field_descriptor_proto::Label::Repeated {
            "repeated "
        } else {
            ""
        };
        let kind = field.r#type().as_str_name().trim_start_matches("TYPE_").to_lowercase();
        format!("{name}.{} = {} {repeated}{kind}", field.name(), field.number())
    });
    own.chain(message.nested_type.iter().flat_map(|nested| fields(nested, &name))).collect()
}

#[test]
fn no_number_is_ever_used_again() {
    let set = FileDescriptorSet::decode(descriptor()).unwrap();
    let ours = set.file.iter().filter(|file| !file.package().starts_with("google."));
    let now: BTreeSet<String> =
        ours.flat_map(|file| file.message_type.iter().flat_map(|it| fields(it, file.package()))).collect();
    let published: BTreeSet<String> = PUBLISHED.lines().map(str::to_owned).collect();
    let missing: Vec<_> = now.difference(&published).collect();
    assert!(missing.is_empty(), "add to proto/numbers.txt: {missing:#?}");
    let gone: Vec<_> = published.difference(&now).collect();
    assert!(gone.is_empty(), "published, and not there any more: {gone:#?}");
}
