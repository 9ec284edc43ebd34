//! The settings of images.

use pando_images::ImageLimits;
use pando_service::BadSetting;
use serde::{Deserialize, Serialize};

/// The largest upload that the edge accepts, whatever the options: `bytes_max` and the form around it.
pub(crate) const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many bytes a form may add to an image.
pub(crate) const FORM_BYTES_MAX: usize = 64 * 1024;

/// Images of profiles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImagesOptions {
    /// The beginning of the addresses of images: a path on this server, or a CDN in front of it.
    pub base_url: String,
    /// Largest image, in bytes.
    pub bytes_max: usize,
    /// How many pixels an image may have.
    pub pixels_max: u64,
    /// Longest side of an image, in pixels.
    pub side_max: u32,
    /// How many images a profile may have.
    pub per_profile_max: usize,
    /// How many images that have arrived a process processes at once; further ones are answered with 503.
    pub uploads_max: usize,
    /// How many images a process decodes at once.
    pub decoders: usize,
    /// An object to which no row refers is deleted only when it is older than this, because an upload may be about to refer to it.
    pub grace_seconds: u64,
    /// When the sweep looks for objects to which no row refers.
    pub sweep: String,
}

impl Default for ImagesOptions {
    fn default() -> Self {
        Self {
            base_url: "/media".to_owned(),
            bytes_max: 10 * 1024 * 1024,
            pixels_max: 50_000_000,
            side_max: 16_384,
            per_profile_max: 50,
            uploads_max: 16,
            decoders: 2,
            grace_seconds: 3_600,
            sweep: "@hourly".to_owned(),
        }
    }
}

impl ImagesOptions {
    /// The limits with which an image is compared before it is decoded.
    pub(crate) fn limits(&self) -> ImageLimits {
        ImageLimits { pixels_max: self.pixels_max, side_max: self.side_max }
    }

    /// Where an object is.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base_url.trim_end_matches('/'))
    }

    /// Whether these can work; if not, which one and why.
    pub(crate) fn check(&self) -> Result<(), BadSetting> {
        BadSetting::check_ranges(
            "profiles.images",
            [
                ("bytes_max", self.bytes_max as u64, 1_024..=BODY_BYTES_MAX - FORM_BYTES_MAX as u64),
                ("pixels_max", self.pixels_max, 1..=500_000_000),
                ("side_max", self.side_max.into(), 1..=65_535),
                ("per_profile_max", self.per_profile_max as u64, 1..=100),
                ("uploads_max", self.uploads_max as u64, 1..=1_000),
                ("decoders", self.decoders as u64, 1..=64),
                ("grace_seconds", self.grace_seconds, 1..=31_536_000),
            ],
        )?;
        let base = &self.base_url;
        let begins = base.starts_with('/') && !base.starts_with("//")
            || ["http://", "https://"]
                .iter()
                .any(|scheme| base.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        if !begins || base.len() > 1_024 || !base.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = format!("{base:?} must begin with /, http:// or https://");
            return Err(BadSetting::new("profiles.images", "base_url", reason));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_begin_with_a_path_or_a_server() {
        let check =
            |base: &str| ImagesOptions { base_url: base.to_owned(), ..ImagesOptions::default() }.check();
        for good in ["/media", "https://cdn.example.org", "http://cdn.example.org/images/"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "media", "//cdn", "https://", "ftp://cdn", "/a b"] {
            assert!(check(bad).is_err_and(|bad| bad.setting == "profiles.images.base_url"), "{bad}");
        }
        assert!(ImagesOptions { decoders: 0, ..ImagesOptions::default() }.check().is_err());
    }
}
