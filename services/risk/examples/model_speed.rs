//! How long features, a prediction and its explanation take: `cargo run --release -p pando-risk --example model_speed`.
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::hint::black_box;
use std::time::Instant;

use pando_clock::Clock;
use pando_risk::model::{
    BusinessInputs, Earlier, HistoryInputs, Inputs, ModelError, ModelType, Models, ModelsOptions, features,
};

const BUSINESSES: u32 = 2_000;
const ROUNDS: usize = 5;

fn main() -> Result<(), ModelError> {
    let opened = Instant::now();
    let models = Models::open(ModelsOptions::default(), Clock::system())?;
    println!("opening the shipped models: {} ms", opened.elapsed().as_millis());
    let inputs: Vec<Inputs<'_>> = (0..BUSINESSES).map(business).collect();
    let rows: Vec<_> = inputs.iter().map(features).collect();
    report("features", || inputs.iter().for_each(|inputs| assert!(black_box(features(inputs))[0] > 0.0)));
    for kind in ModelType::ALL {
        let model = models.current(kind)?;
        report(kind.name(), || {
            rows.iter().for_each(|row| assert!(black_box(model.evaluate(row)).score > 0.0))
        });
        let name = format!("{kind}, contributions");
        report(&name, || rows.iter().for_each(|row| assert!(black_box(model.explain(row)).base < 0.0)));
    }
    Ok(())
}

/// The least of a few rounds: the others were disturbed.
fn report(name: &str, work: impl Fn()) {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_nanos() / u128::from(BUSINESSES)
    });
    println!("{name}: {} ns", rounds.min().unwrap_or(0));
}

/// Businesses that differ in what the trees read, as far as a number goes.
fn business(number: u32) -> Inputs<'static> {
    let share = |of: u32| f64::from(number * 7_919 % of) / f64::from(of);
    let some = |of: u32| !number.is_multiple_of(of);
    Inputs {
        business: BusinessInputs {
            name: if some(3) { "Müller & Söhne GmbH" } else { "CHEAP DEALS 24" },
            address: "Hauptstraße 5, 10115 Berlin, Germany",
            industry: if some(4) { "Manufacturing" } else { "Retail" },
            country: if some(9) { "DE" } else { "VG" },
            phone: some(5).then_some("+493012345678"),
            email: Some(if some(2) { "office@mueller.example" } else { "deals@gmail.com" }),
            website: some(6).then_some("https://www.mueller.example/about"),
            annual_revenue: some(3).then(|| 1e6 * share(101)),
            employee_count: some(3).then(|| 100.0 * share(97)),
            years_in_business: some(4).then(|| 40.0 * share(89)),
            horizon_months: u8::try_from(number % 25).unwrap_or(0),
        },
        history: HistoryInputs {
            assessed_7d: number * 31 % 5,
            same_address_7d: number * 17 % 4,
            earlier: Earlier::of(&[(40.0 * share(83), share(79)), (70.0, share(73))]).filter(|_| some(3)),
            ..HistoryInputs::default()
        },
    }
}
