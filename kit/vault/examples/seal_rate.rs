//! How many values a second one thread seals, opens, and makes blind indexes of.
//!
//! `cargo run --release -p pando-vault --example seal_rate`

#![expect(clippy::print_stdout, reason = "it shows what it measured")]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use pando_vault::{KeyOptions, KeyText, Keyring, KeyringOptions};

const PLACE: [&str; 4] = ["acme", "customers", "email", "0193b4f2-7c1e-7cc0-8d8a-2f6f6e0c9a51"];
const FIELD: [&str; 2] = ["acme", "customers.email"];
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);

fn main() -> Result<(), Box<dyn Error>> {
    let key = |id: &str, byte: &str| KeyOptions {
        id: id.to_owned(),
        key: Some(KeyText::new(byte.repeat(32))),
        key_file: None,
    };
    let vault = Keyring::new(&KeyringOptions {
        keys: vec![key("2026-11", "a1")],
        current: Some("2026-11".to_owned()),
        index_keys: vec![key("index-2026", "b2")],
    })?;
    println!("the median of {ROUNDS} rounds, one thread, values a second\n");
    println!("{:>6} {:>12} {:>12} {:>12} {:>12}", "bytes", "seal", "open", "blind index", "stored bytes");
    for bytes in [30, 1024] {
        let plain = "x".repeat(bytes);
        let sealed = vault.seal(&PLACE, &plain)?;
        assert_eq!(vault.open(&PLACE, &sealed)?, plain);
        println!(
            "{bytes:>6} {:>12.0} {:>12.0} {:>12.0} {:>12}",
            rate(|| vault.seal(black_box(&PLACE), black_box(&plain)).is_ok()),
            rate(|| vault.open(black_box(&PLACE), black_box(&sealed)).is_ok()),
            rate(|| vault.blind_index(black_box(&FIELD), black_box(&plain)) != plain),
            sealed.len(),
        );
    }
    Ok(())
}

/// How often a second `work` succeeds.
fn rate(work: impl Fn() -> bool) -> f64 {
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (start, mut done) = (Instant::now(), 0_u32);
            while start.elapsed() < ROUND {
                // A hundred at a time, so that reading the clock does not count.
                done += (0..100).map(|_| u32::from(black_box(work()))).sum::<u32>();
            }
            f64::from(done) / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
}
