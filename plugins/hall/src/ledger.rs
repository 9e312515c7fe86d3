//! Double entry of money that is asked, paid and given back. Money is never kept: what is paid is
//! owed to the treasury at once (许可法 arts. 58–59).

/// An account of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// What applicants owe.
    Receivable,
    /// What the gateway has collected and settles with the treasury.
    Clearing,
    /// What is due to the treasury.
    Treasury,
    /// What is to be given back.
    Refundable,
}

impl Account {
    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Clearing => "clearing",
            Self::Treasury => "treasury",
            Self::Refundable => "refundable",
        }
    }
}

/// What happened to a fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It became due.
    Asked,
    /// It fell away unpaid.
    Waived,
    /// It was paid.
    Paid,
    /// Money came in for which nothing was owed.
    Overpaid,
    /// What was paid is to be given back.
    RefundDue,
    /// It was given back.
    Refunded,
}

impl Kind {
    /// Its name in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Waived => "waived",
            Self::Paid => "paid",
            Self::Overpaid => "overpaid",
            Self::RefundDue => "refund_due",
            Self::Refunded => "refunded",
        }
    }

    /// The postings of an amount in minor units; debit is positive. They sum to zero.
    #[must_use]
    pub fn postings(self, minor: i64) -> [(Account, i64); 2] {
        use Account::{Clearing, Receivable, Refundable, Treasury};
        let (debit, credit) = match self {
            Self::Asked => (Receivable, Treasury),
            Self::Waived => (Treasury, Receivable),
            Self::Paid => (Clearing, Receivable),
            Self::Overpaid => (Clearing, Refundable),
            Self::RefundDue => (Treasury, Refundable),
            Self::Refunded => (Refundable, Clearing),
        };
        [(debit, minor), (credit, -minor)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn balances(kinds: &[Kind]) -> BTreeMap<&'static str, i64> {
        let mut found = BTreeMap::new();
        for kind in kinds {
            let postings = kind.postings(12_000);
            assert_eq!(postings.iter().map(|(_, minor)| minor).sum::<i64>(), 0);
            for (account, minor) in postings {
                *found.entry(account.name()).or_insert(0) += minor;
            }
        }
        found.retain(|_, minor| *minor != 0);
        found
    }

    #[test]
    fn every_story_ends_where_it_must() {
        use Kind::{Asked, Overpaid, Paid, RefundDue, Refunded, Waived};
        assert_eq!(
            balances(&[Asked, Paid]),
            BTreeMap::from([("clearing", 12_000), ("treasury", -12_000)])
        );
        assert!(balances(&[Asked, Waived]).is_empty());
        assert!(balances(&[Asked, Paid, RefundDue, Refunded]).is_empty());
        assert!(balances(&[Overpaid, Refunded]).is_empty());
    }
}
