//! Chance in the sandbox: a hash of the seed and of the id of a payment. The same payment always has the same fate.

use std::time::Duration;

use uuid::Uuid;

use crate::payments::domain::card::Card;
use crate::payments::domain::method::MethodToken;
use crate::payments::provider::domain::outcome::DeclineCode;
use crate::payments::provider::options::SandboxOptions;

/// How much longer than others a charge of `tok_slow` takes, and how long at least.
const SLOW_TIMES: u64 = 10;
const SLOW_MS_MIN: u64 = 1_000;

/// The way of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It arrives, and so does the answer.
    Answered,
    /// It arrives, and the answer is lost.
    AnswerLost,
    /// It is lost.
    Lost,
    /// No connection can be made.
    Unreachable,
}

/// The fate of a request to charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) way: Way,
    /// Why the charge is declined, if it is.
    pub(super) declined: Option<DeclineCode>,
    /// How long the sandbox takes.
    pub(super) latency: Duration,
}

/// The fates of the requests about one payment or refund.
pub(super) struct Chances<'a> {
    options: &'a SandboxOptions,
    key: Uuid,
}

impl<'a> Chances<'a> {
    pub(super) fn new(options: &'a SandboxOptions, key: Uuid) -> Self {
        Self { options, key }
    }

    /// The fate of the charge of a card.
    pub(super) fn of_charge(&self, token: &MethodToken) -> Fate {
        let latency = self.options.latency_ms;
        let fate = Fate { way: Way::Answered, declined: None, latency: Duration::from_millis(latency) };
        let declined = |code| Fate { declined: Some(code), ..fate };
        match token.expose() {
            "tok_ok" | "tok_refund_refused" | "tok_refund_unknown" => fate,
            "tok_declined" => declined(DeclineCode::CardDeclined),
            "tok_insufficient_funds" => declined(DeclineCode::InsufficientFunds),
            "tok_expired_card" => declined(DeclineCode::ExpiredCard),
            "tok_processor_error" => declined(DeclineCode::ProcessorError),
            "tok_slow" => {
                let latency = Duration::from_millis((latency * SLOW_TIMES).max(SLOW_MS_MIN));
                Fate { latency, ..fate }
            }
            "tok_unknown" => Fate { way: Way::AnswerLost, ..fate },
            "tok_lost" => Fate { way: Way::Lost, ..fate },
            "tok_unreachable" => Fate { way: Way::Unreachable, ..fate },
            token if token.starts_with("pm_") => Fate { way: self.way(), declined: self.declined(), ..fate },
            _ => declined(DeclineCode::BadMethod),
        }
    }

    /// The fate of a refund of the charge of a card.
    pub(super) fn of_refund(&self, token: &str) -> Way {
        match token {
            "tok_refund_unknown" => Way::AnswerLost,
            token if token.starts_with("pm_") => self.way(),
            _ => Way::Answered,
        }
    }

    /// By how much a copy of a callback is late.
    pub(super) fn delay(&self, copy: u32) -> Duration {
        let span = self.options.callback_delay_ms;
        Duration::from_millis(self.number(&format!("callback {copy}")) % (span + 1))
    }

    /// The code of the bank: six letters and digits.
    pub(super) fn authorization_code(&self) -> String {
        let code = self.number("authorization") % 36_u64.pow(6);
        (0..6).map(|place| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit(code, place)])).collect()
    }

    fn way(&self) -> Way {
        match () {
            () if self.happens("lost", self.options.lost_percent) => Way::Lost,
            () if self.happens("unknown", self.options.unknown_percent) => Way::AnswerLost,
            () => Way::Answered,
        }
    }

    fn declined(&self) -> Option<DeclineCode> {
        if self.happens("success", self.options.success_percent) {
            return None;
        }
        Some(match self.number("reason") % 4 {
            0 => DeclineCode::InsufficientFunds,
            1 => DeclineCode::ExpiredCard,
            2 => DeclineCode::ProcessorError,
            _ => DeclineCode::CardDeclined,
        })
    }

    fn happens(&self, about: &str, percent: u32) -> bool {
        self.number(about) % 100 < u64::from(percent)
    }

    fn number(&self, about: &str) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.options.seed.to_le_bytes()).update(self.key.as_bytes()).update(about.as_bytes());
        let mut bytes = [0; 8];
        hasher.finalize_xof().fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The token that a card has of its number, if it is one of those that always do the same.
pub(super) fn token_of(card: &Card) -> Option<&'static str> {
    Some(match card.number().strip_prefix("400000000000")? {
        "0077" => "tok_ok",
        "0002" => "tok_declined",
        "9995" => "tok_insufficient_funds",
        "0069" => "tok_expired_card",
        "0119" => "tok_processor_error",
        "9101" => "tok_slow",
        "9102" => "tok_unknown",
        "9103" => "tok_lost",
        "9104" => "tok_unreachable",
        "9105" => "tok_refund_refused",
        "9106" => "tok_refund_unknown",
        _ => return None,
    })
}

/// The digit at a place of a number to the base 36, from the right.
fn digit(number: u64, place: u32) -> usize {
    usize::try_from(number / 36_u64.pow(place) % 36).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(options: &SandboxOptions) -> Vec<Fate> {
        let token = MethodToken::parse("pm_1").unwrap();
        (1..=1_000).map(|id| Chances::new(options, Uuid::from_u128(id)).of_charge(&token)).collect()
    }

    #[test]
    fn fates_follow_from_the_seed_and_are_about_as_frequent_as_the_settings_say() {
        let options = SandboxOptions {
            success_percent: 90,
            unknown_percent: 20,
            lost_percent: 10,
            ..SandboxOptions::default()
        };
        let fates = |seed| fates(&SandboxOptions { seed, ..options.clone() });
        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
        let count = |fits: fn(&Fate) -> bool| fates(1).into_iter().filter(fits).count();
        assert!((70..130).contains(&count(|fate| fate.declined.is_some())));
        assert!((70..130).contains(&count(|fate| fate.way == Way::Lost)));
        // A fifth of those that are not lost.
        assert!((130..230).contains(&count(|fate| fate.way == Way::AnswerLost)));
    }

    #[test]
    fn without_other_settings_every_charge_succeeds() {
        let fate = Fate { way: Way::Answered, declined: None, latency: Duration::ZERO };
        assert_eq!(fates(&SandboxOptions::default()), vec![fate; 1_000]);
    }

    #[test]
    fn delays_and_codes_are_within_their_bounds() {
        let options = SandboxOptions { callback_delay_ms: 50, ..SandboxOptions::default() };
        for id in 1..=100 {
            let chances = Chances::new(&options, Uuid::from_u128(id));
            assert!(chances.delay(0) <= Duration::from_millis(50));
            let code = chances.authorization_code();
            assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{code}");
        }
        let none = SandboxOptions::default();
        assert_eq!(Chances::new(&none, Uuid::from_u128(1)).delay(2), Duration::ZERO);
    }
}
