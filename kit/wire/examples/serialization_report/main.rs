//! The bytes, the time and the allocations of customers that are encoded one by one, as a batch, and packed.
//!
//! `cargo run --release -p pando-wire --example serialization_report`

#![expect(clippy::print_stdout, reason = "it shows what it measured")]

mod customers;

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use customers::{Customer, CustomerBatch, customers};
use pando_wire::{Codec, Encoder, PackOptions, pack, unpack};
use prost::Message;

const COUNTS: [usize; 6] = [0, 1, 10, 100, 1_000, 10_000];
const ROUNDS: usize = 15;
/// Each round of few messages is repeated, so that it takes a few milliseconds.
const MESSAGES_PER_ROUND: usize = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "bytes and microseconds: messages one by one, as a batch, and as a packed batch (compressed from 1024 bytes on)\n"
    );
    println!(
        "{:>8} {:>9} {:>9}  {:>9} {:>9} {:>7}  {:>5} {:>9} {:>9} {:>9} {:>8} {:>8}",
        "messages",
        "each",
        "us",
        "batch",
        "us",
        "of each",
        "codec",
        "packed",
        "us pack",
        "us unpack",
        "of batch",
        "of each"
    );
    for count in COUNTS {
        report_bytes(&customers(count, 1))?;
    }
    report_tens()?;
    println!(
        "\nnanoseconds a message, and allocations: prost against one encoder, which is used again and again\n"
    );
    println!(
        "{:>8} {:>9} {:>9} {:>7}  {:>11} {:>11} {:>7}  {:>11} {:>13} {:>7}",
        "messages",
        "prost",
        "encoder",
        "",
        "prost alloc",
        "new encoder",
        "",
        "prost batch",
        "encoder batch",
        ""
    );
    for count in COUNTS {
        report_encoder(&customers(count, 1));
    }
    Ok(())
}

fn report_bytes(messages: &[Customer]) -> Result<(), Box<dyn std::error::Error>> {
    let each: usize = messages.iter().map(Message::encoded_len).sum();
    let mut encoder = Encoder::new();
    let batch = encoder.encode_batch(messages);
    // What was measured is also right.
    assert_eq!(CustomerBatch::decode(batch.clone())?.customers, messages);
    for codec in [Codec::Gzip, Codec::Zstd] {
        let options = PackOptions { codec, ..PackOptions::default() };
        let packed = pack(&batch, &options)?;
        assert_eq!(unpack(&packed, batch.len())?, batch);
        let [each_time, batch_time, pack_time, unpack_time] = medians(
            messages.len(),
            [
                &mut || drop(black_box(messages.iter().map(Message::encode_to_vec).collect::<Vec<_>>())),
                &mut || drop(black_box(encoder.encode_batch(messages))),
                &mut || drop(black_box(pack(&batch, &options))),
                &mut || drop(black_box(unpack(&packed, batch.len()))),
            ],
        );
        println!(
            "{:>8} {each:>9} {:>9.1}  {:>9} {:>9.1} {:>7}  {:>5} {:>9} {:>9.1} {:>9.1} {:>8} {:>8}",
            messages.len(),
            each_time * 1e6,
            batch.len(),
            batch_time * 1e6,
            percent(batch.len() as f64, each as f64),
            format!("{codec:?}").to_lowercase(),
            packed.len(),
            pack_time * 1e6,
            unpack_time * 1e6,
            percent(packed.len() as f64, batch.len() as f64),
            percent(packed.len() as f64, each as f64),
        );
    }
    Ok(())
}

/// Prints how much depends on which customers happen to be in a small batch.
fn report_tens() -> Result<(), Box<dyn std::error::Error>> {
    println!("\n200 different batches of ten customers, packed, of each: least, median and most");
    for codec in [Codec::Gzip, Codec::Zstd] {
        let options = PackOptions { codec, ..PackOptions::default() };
        let mut shares = Vec::new();
        for seed in 0..200 {
            let messages = customers(10, seed);
            let each: usize = messages.iter().map(Message::encoded_len).sum();
            shares.push(pack(&Encoder::new().encode_batch(&messages), &options)?.len() as f64 / each as f64);
        }
        shares.sort_by(f64::total_cmp);
        let [least, median, most] = [shares[0], shares[100], shares[199]].map(|share| percent(share, 1.0));
        println!("{codec:?}: {least} {median} {most}");
    }
    Ok(())
}

fn report_encoder(messages: &[Customer]) {
    let mut outputs: Vec<Bytes> = Vec::with_capacity(messages.len());
    let mut vectors: Vec<Vec<u8>> = Vec::with_capacity(messages.len());
    let mut naive = || {
        vectors.clear();
        vectors.extend(messages.iter().map(Message::encode_to_vec));
        black_box(&vectors);
    };
    let naive_allocations = allocation_counter::measure(&mut naive).count_total;
    let allocations = allocation_counter::measure(|| {
        let mut encoder = Encoder::new();
        outputs.extend(messages.iter().map(|message| encoder.encode(message)));
    });
    let allocations = allocations.count_total;
    let mut encoder = Encoder::new();
    let mut reusing = || {
        outputs.clear();
        outputs.extend(messages.iter().map(|message| encoder.encode(message)));
        black_box(&outputs);
    };
    let batch = CustomerBatch { customers: messages.to_vec() };
    let mut batch_encoder = Encoder::new();
    let [naive_time, time, naive_batch_time, batch_time] = medians(
        messages.len(),
        [&mut naive, &mut reusing, &mut || drop(black_box(batch.encode_to_vec())), &mut || {
            drop(black_box(batch_encoder.encode_batch(messages)))
        }],
    )
    .map(|time| if messages.is_empty() { 0.0 } else { time * 1e9 / messages.len() as f64 });
    println!(
        "{:>8} {naive_time:>9.1} {time:>9.1} {:>7}  {naive_allocations:>11} {allocations:>11} {:>7}  \
         {naive_batch_time:>11.1} {batch_time:>13.1} {:>7}",
        messages.len(),
        percent(time, naive_time),
        percent(allocations as f64, naive_allocations as f64),
        percent(batch_time, naive_batch_time),
    );
}

/// The median seconds of each task. The tasks take turns, so that other work on the machine disturbs all of them alike.
fn medians<const TASKS: usize>(messages: usize, mut tasks: [&mut dyn FnMut(); TASKS]) -> [f64; TASKS] {
    let repeats = (MESSAGES_PER_ROUND / messages.max(1)).max(1);
    let mut times = [[Duration::ZERO; ROUNDS]; TASKS];
    for round in 0..ROUNDS {
        for (task, times) in tasks.iter_mut().zip(&mut times) {
            let started = Instant::now();
            (0..repeats).for_each(|_| task());
            times[round] = started.elapsed();
        }
    }
    times.map(|mut times| {
        times.sort();
        times[ROUNDS / 2].as_secs_f64() / repeats as f64
    })
}

/// A share with one decimal, or a dash if there is nothing to take a share of.
fn percent(part: f64, whole: f64) -> String {
    if whole == 0.0 { "-".to_owned() } else { format!("{:.1}%", part / whole * 100.0) }
}
