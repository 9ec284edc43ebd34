//! Values of a closed set and their names: tables of pairs, as [`QueryString::one_of`](pando_http::QueryString::one_of) reads them.

/// The name of a value.
pub fn name_in<T: PartialEq>(table: &'static [(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

/// The value of a name.
pub fn value_in<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
