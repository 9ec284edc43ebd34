//! The kinds of movements.

/// The kinds of movements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Units came in.
    Restock,
    /// Units are kept for an order.
    Reservation,
    /// Units that were kept for an order can be sold again.
    Release,
    /// Units that were kept for an order have left.
    Sale,
    /// Units that had left came back.
    Return,
    /// Units broke or were lost.
    Damage,
    /// Somebody counted.
    Adjustment,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Restock => "RESTOCK",
            Self::Reservation => "RESERVATION",
            Self::Release => "RELEASE",
            Self::Sale => "SALE",
            Self::Return => "RETURN",
            Self::Damage => "DAMAGE",
            Self::Adjustment => "ADJUSTMENT",
        }
    }

    /// By how much a movement of `quantity` changes the available and the reserved units.
    pub(crate) fn change(self, quantity: i64) -> (i64, i64) {
        match self {
            Self::Restock | Self::Return | Self::Adjustment => (quantity, 0),
            Self::Damage => (-quantity, 0),
            Self::Reservation => (-quantity, quantity),
            Self::Release => (quantity, -quantity),
            Self::Sale => (0, -quantity),
        }
    }
}
