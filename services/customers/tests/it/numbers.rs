//! The numbers of fields: once published, they mean the same for ever.

use std::collections::BTreeSet;

use pando_customers::messages::descriptor;
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};

/// The last release for which the list was completed, and every field that was published until then. A field of a later
/// version needs no line before that version is released.
const PUBLISHED: &str = include_str!("../../proto/numbers.txt");
const CHANGELOG: &str = include_str!("../../../../CHANGELOG.md");

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
    let (complete, published) = PUBLISHED.split_once('\n').unwrap();
    let published: BTreeSet<String> = published.lines().map(str::to_owned).collect();
    let headings = CHANGELOG.lines().filter_map(|line| line.strip_prefix("## "));
    let released = headings.map(|heading| heading.split(' ').next().unwrap()).find(|it| *it != "Unreleased");
    if complete != format!("complete for {}", released.unwrap_or("no release")) {
        let missing: Vec<_> = now.difference(&published).collect();
        panic!("{released:?} was released: name it in proto/numbers.txt, and add {missing:#?}");
    }
    let gone: Vec<_> = published.difference(&now).collect();
    assert!(gone.is_empty(), "published, and not there any more: {gone:#?}");
}
