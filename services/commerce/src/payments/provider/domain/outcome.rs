//! The outcomes of orders to a provider.

/// How a charge ended, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The money was taken.
    Captured {
        /// The provider's id of the charge: the transaction id.
        reference: String,
        /// The bank's code for it; empty if the provider says none.
        authorization_code: String,
    },
    /// No money was taken, and none will be.
    Declined {
        /// The reason.
        code: DeclineCode,
        /// The reason in the provider's words.
        message: String,
    },
    /// It may have happened. It must be looked up later, and never be guessed.
    Unknown,
    /// Nothing happened: the order certainly did not get into the provider.
    Unreachable,
}

/// How a refund ended, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The money was given back.
    Refunded {
        /// The provider's id of the refund.
        reference: String,
    },
    /// No money was given back, and none will be.
    Refused {
        /// The reason in the provider's words.
        message: String,
    },
    /// It may have happened. It must be looked up later, and never be guessed.
    Unknown,
    /// Nothing happened: the order certainly did not get into the provider.
    Unreachable,
}

/// The answer to the question how an order ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// It ended like this, which is never `Unknown` or `Unreachable`.
    Ended(T),
    /// The provider is still at work on it.
    Pending,
    /// The provider has no such order at this moment. One that was sent a moment ago may still be on its way.
    NotThere,
    /// The provider gave no usable answer.
    Unreachable,
}

/// Why a charge was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclineCode {
    /// There is not enough money.
    InsufficientFunds,
    /// The bank says no, and does not say why.
    CardDeclined,
    /// The card has expired.
    ExpiredCard,
    /// The card or its token is not valid.
    BadMethod,
    /// The holder of the card would have to confirm it.
    AuthenticationRequired,
    /// Something went wrong at the provider or at the bank.
    ProcessorError,
    /// The provider does not take such an order, or its key had another amount before.
    BadRequest,
}

/// The advice for somebody whose charge was declined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuggestedAction {
    /// `RETRY`
    Retry,
    /// `UPDATE_PAYMENT_METHOD`
    UpdatePaymentMethod,
    /// `CONTACT_SUPPORT`
    ContactSupport,
}

impl DeclineCode {
    const ALL: [Self; 7] = [
        Self::InsufficientFunds,
        Self::CardDeclined,
        Self::ExpiredCard,
        Self::BadMethod,
        Self::AuthenticationRequired,
        Self::ProcessorError,
        Self::BadRequest,
    ];

    /// Its name in tables and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::CardDeclined => "CARD_DECLINED",
            Self::ExpiredCard => "EXPIRED_CARD",
            Self::BadMethod => "PAYMENT_METHOD_INVALID",
            Self::AuthenticationRequired => "AUTHENTICATION_REQUIRED",
            Self::ProcessorError => "PAYMENT_PROCESSOR_ERROR",
            Self::BadRequest => "BAD_REQUEST",
        }
    }

    /// The code of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }

    /// Whether a new payment with the same card may well succeed.
    pub fn is_retryable(self) -> bool {
        self.suggested_action() == SuggestedAction::Retry
    }

    /// The advice for the buyer.
    pub fn suggested_action(self) -> SuggestedAction {
        match self {
            Self::ProcessorError => SuggestedAction::Retry,
            Self::BadRequest => SuggestedAction::ContactSupport,
            Self::InsufficientFunds
            | Self::CardDeclined
            | Self::ExpiredCard
            | Self::BadMethod
            | Self::AuthenticationRequired => SuggestedAction::UpdatePaymentMethod,
        }
    }

    /// A sentence about it, for providers that say none.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "there is not enough money",
            Self::CardDeclined => "the card was declined",
            Self::ExpiredCard => "the card has expired",
            Self::BadMethod => "the card is not valid",
            Self::AuthenticationRequired => "the holder of the card has to confirm the payment",
            Self::ProcessorError => "the payment could not be processed",
            Self::BadRequest => "the provider does not take this payment",
        }
    }

    /// Declined, in the words of [`DeclineCode::sentence`].
    pub(crate) fn declined(self) -> Outcome {
        Outcome::Declined { code: self, message: self.sentence().to_owned() }
    }
}

impl SuggestedAction {
    /// Its published name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "RETRY",
            Self::UpdatePaymentMethod => "UPDATE_PAYMENT_METHOD",
            Self::ContactSupport => "CONTACT_SUPPORT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in DeclineCode::ALL {
            assert_eq!(DeclineCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(DeclineCode::parse("UNHEARD_OF"), None);
    }

    #[test]
    fn only_errors_of_the_processor_are_worth_another_try() {
        let retryable = DeclineCode::ALL.into_iter().filter(|code| code.is_retryable());
        assert_eq!(retryable.collect::<Vec<_>>(), [DeclineCode::ProcessorError]);
    }
}
