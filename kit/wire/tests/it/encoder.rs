//! One encoder for many messages.

use bytes::Bytes;
use fastrand::Rng;
use pando_wire::Encoder;
use prost::Message;

use crate::customers::{Customer, CustomerBatch, customers};

#[test]
fn outputs_are_those_of_prost_and_stay_so_while_the_encoder_goes_on() {
    let mut encoder = Encoder::new();
    let messages = of_many_sizes();
    // All outputs are held until the end.
    let outputs: Vec<Bytes> = messages.iter().map(|message| encoder.encode(message)).collect();
    for (message, output) in messages.iter().zip(outputs) {
        assert_eq!(output, message.encode_to_vec());
    }
}

#[test]
fn outputs_that_are_held_are_not_written_to_while_others_are_dropped() {
    let (mut encoder, mut random) = (Encoder::new(), Rng::with_seed(5));
    let messages = of_many_sizes();
    let mut held: Vec<(&Customer, Bytes)> = Vec::new();
    for _ in 0..10_000 {
        let message = &messages[random.usize(..messages.len())];
        held.push((message, encoder.encode(message)));
        if held.len() > 20 {
            let (message, output) = held.swap_remove(random.usize(..held.len()));
            assert_eq!(output, message.encode_to_vec());
        }
    }
    assert!(held.into_iter().all(|(message, output)| output == message.encode_to_vec()));
}

#[test]
fn outputs_can_be_read_in_other_threads() {
    let messages = customers(4_000, 11);
    let (sender, receiver) = std::sync::mpsc::sync_channel::<(usize, Bytes)>(8);
    let expected = &messages;
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let right =
                |(number, output): (usize, Bytes)| Customer::decode(output).unwrap() == expected[number];
            receiver.into_iter().map(right).filter(|right| *right).count()
        });
        let mut encoder = Encoder::new();
        for (number, message) in messages.iter().enumerate() {
            sender.send((number, encoder.encode(message))).unwrap();
        }
        drop(sender);
        assert_eq!(reader.join().unwrap(), messages.len());
    });
}

#[test]
fn batches_are_those_of_prost() {
    let mut encoder = Encoder::new();
    for (count, seed) in [(0, 1), (1, 2), (2, 3), (10, 4), (10_000, 5), (3, 6), (0, 7)] {
        let batch = CustomerBatch { customers: customers(count, seed) };
        let encoded = encoder.encode_batch(&batch.customers);
        assert_eq!(encoded, batch.encode_to_vec(), "{count} customers");
        assert_eq!(CustomerBatch::decode(encoded).unwrap(), batch, "{count} customers");
    }
}

#[test]
fn batches_and_messages_can_be_held_at_once() {
    let mut encoder = Encoder::new();
    let (few, many) = (customers(5, 1), customers(5_000, 2));
    let batches = [encoder.encode_batch(&few), encoder.encode_batch(&many), encoder.encode_batch(&few)];
    let message = encoder.encode(&many[0]);
    let [first, second, third] = batches.map(|batch| CustomerBatch::decode(batch).unwrap().customers);
    assert_eq!((&first, &second, &third), (&few, &many, &few));
    assert_eq!(Customer::decode(message).unwrap(), many[0]);
}

#[test]
fn an_empty_message_has_no_bytes() {
    assert!(Encoder::new().encode(&Customer::default()).is_empty());
    let one_empty = [Customer::default()];
    assert_eq!(Encoder::new().encode_batch(&one_empty), [0x0a, 0][..]);
}

#[test]
fn encoding_takes_at_most_half_of_the_allocations_of_prost() {
    for count in [10, 100, 1_000, 10_000] {
        let messages = customers(count, 3);
        let mut outputs = Vec::with_capacity(count);
        let ours = allocation_counter::measure(|| {
            let mut encoder = Encoder::new();
            outputs.extend(messages.iter().map(|message| encoder.encode(message)));
        });
        let mut vectors = Vec::with_capacity(count);
        let theirs = allocation_counter::measure(|| {
            vectors.extend(messages.iter().map(Message::encode_to_vec));
        });
        assert_eq!(outputs, vectors);
        assert_eq!(theirs.count_total, count as u64);
        assert!(ours.count_total * 2 <= theirs.count_total, "{count}: {}", ours.count_total);
        // Few large allocations must not be bought with much more memory.
        assert!(
            ours.bytes_current * 2 <= theirs.bytes_current * 3 + 2 * 16 * 1024,
            "{count}: {ours:?} {theirs:?}"
        );
    }
}

#[test]
fn a_warm_encoder_allocates_nothing_while_its_outputs_are_dropped() {
    let (messages, mut encoder) = (customers(1_000, 4), Encoder::new());
    let mut encode_all = || messages.iter().map(|message| encoder.encode(message).len()).sum::<usize>();
    let expected = encode_all();
    let warm = allocation_counter::measure(|| assert_eq!(encode_all(), expected));
    assert_eq!(warm.count_total, 0);
}

#[test]
fn a_long_output_has_one_allocation_of_its_own_size() {
    let (messages, mut encoder) = (customers(1_000, 7), Encoder::new());
    let length = encoder.encode_batch(&messages).len();
    let mut output = Bytes::new();
    let measured = allocation_counter::measure(|| output = encoder.encode_batch(&messages));
    assert_eq!((measured.count_total, measured.bytes_total), (1, length as u64));
}

#[test]
fn a_huge_batch_does_not_stay_in_the_encoder() {
    let (messages, mut encoder) = (customers(15_000, 6), Encoder::new());
    let left = allocation_counter::measure(|| drop(encoder.encode_batch(&messages)));
    assert!(left.bytes_max > 4_194_304 && left.bytes_current < 16_384, "{left:?}");
}

#[test]
fn the_content_is_not_in_the_debug_output() {
    let mut encoder = Encoder::new();
    let output = encoder.encode(&Customer { name: "secret".into(), ..Customer::default() });
    assert_eq!((format!("{encoder:?}").as_str(), output.len()), ("Encoder { .. }", 8));
}

/// Customers of 1 byte to 300 KB.
fn of_many_sizes() -> Vec<Customer> {
    let mut messages = customers(300, 9);
    for (number, length) in [0, 1, 4_000, 4_090, 4_096, 5_000, 16_384, 300_000].into_iter().enumerate() {
        messages[number * 30].name = "n".repeat(length);
        messages.push(Customer { name: "m".repeat(length), ..Customer::default() });
    }
    messages
}
