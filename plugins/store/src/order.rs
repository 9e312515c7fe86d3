//! Orders of payment, one an attempt, and the ledger's entries about them.

use idp_store::{Row, StoreError, Tx, args, statement};
use plugins_hall::ledger::Kind;

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentOrder {
    /// Known to the gateway.
    pub order_id: String,
    /// The case.
    pub number: String,
    /// The event that made the fee due.
    pub seq: i64,
    /// 1, then one more for each that failed.
    pub attempt: i64,
    /// Minor units.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// `YYYYMMDDhhmmss`, Beijing time.
    pub txn_time: String,
    /// `prepared`, `started`, `settled`, `failed`, `void`, `disputed`, `refund_due`, `refunded`.
    pub state: String,
    /// The gateway's id of the settled payment.
    pub query_id: Option<String>,
}

statement!(
    INSERT,
    "insert into payment_order (order_id, number, seq, attempt, minor, currency, txn_time, state,
     created_at, changed_at) values ($1, $2, $3, $4, $5, $6, $7, 'prepared', $8, $8)"
);
statement!(
    FIND,
    "select order_id, number, seq, attempt, minor, currency, txn_time, state, query_id
     from payment_order where order_id = $1"
);
statement!(
    OF_CASE,
    "select order_id, number, seq, attempt, minor, currency, txn_time, state, query_id
     from payment_order where number = $1 order by seq, attempt"
);
statement!(
    MOVE,
    "update payment_order set state = $3, query_id = coalesce($4, query_id), changed_at = $5
     where order_id = $1 and state = $2"
);
statement!(
    ENTRY,
    "insert into ledger_entry (id, order_id, number, kind, at) values ($1, $2, $3, $4, $5)"
);
statement!(
    POSTING,
    "insert into ledger_posting (entry_id, account, minor, currency) values ($1, $2, $3, $4)"
);
statement!(
    BALANCES,
    "select account, currency, cast(sum(minor) as bigint) as minor from ledger_posting
     group by account, currency order by account"
);

fn read(row: &Row) -> Result<PaymentOrder, StoreError> {
    Ok(PaymentOrder {
        order_id: row.text("order_id")?,
        number: row.text("number")?,
        seq: row.int("seq")?,
        attempt: row.int("attempt")?,
        minor: row.int("minor")?,
        currency: row.text("currency")?,
        txn_time: row.text("txn_time")?,
        state: row.text("state")?,
        query_id: row.text_opt("query_id")?,
    })
}

/// Writes a prepared order.
///
/// # Errors
/// [`StoreError::Conflict`] if the attempt exists.
pub async fn insert(tx: &mut Tx, order: &PaymentOrder, at: i64) -> Result<(), StoreError> {
    let row = args![
        &order.order_id,
        &order.number,
        order.seq,
        order.attempt,
        order.minor,
        &order.currency,
        &order.txn_time,
        at
    ];
    tx.execute(&INSERT, row).await.map(drop)
}

/// An order.
///
/// # Errors
/// As the database says.
pub async fn find(tx: &mut Tx, order_id: &str) -> Result<Option<PaymentOrder>, StoreError> {
    tx.optional(&FIND, args![order_id]).await?.map(|row| read(&row)).transpose()
}

/// All orders of a case, oldest first.
///
/// # Errors
/// As the database says.
pub async fn of_case(tx: &mut Tx, number: &str) -> Result<Vec<PaymentOrder>, StoreError> {
    tx.all(&OF_CASE, args![number]).await?.iter().map(read).collect()
}

/// Moves an order from the state that was seen; false if it has moved.
///
/// # Errors
/// As the database says.
pub async fn set(
    tx: &mut Tx,
    order: &PaymentOrder,
    to: &str,
    query_id: Option<&str>,
    at: i64,
) -> Result<bool, StoreError> {
    let row = args![&order.order_id, &order.state, to, query_id, at];
    Ok(tx.execute(&MOVE, row).await? == 1)
}

/// Posts what happened to an order's money. The same kind twice for one order is refused.
///
/// # Errors
/// [`StoreError::Conflict`] if it was posted before.
pub async fn post(
    tx: &mut Tx,
    entry_id: &str,
    order: &PaymentOrder,
    kind: Kind,
    at: i64,
) -> Result<(), StoreError> {
    let row = args![entry_id, &order.order_id, &order.number, kind.name(), at];
    tx.execute(&ENTRY, row).await?;
    for (account, minor) in kind.postings(order.minor) {
        tx.execute(&POSTING, args![entry_id, account.name(), minor, &order.currency]).await?;
    }
    Ok(())
}

/// Balances by account and currency; they sum to zero.
///
/// # Errors
/// As the database says.
pub async fn balances(tx: &mut Tx) -> Result<Vec<(String, String, i64)>, StoreError> {
    let rows = tx.all(&BALANCES, args![]).await?;
    rows.iter()
        .map(|row| Ok((row.text("account")?, row.text("currency")?, row.int("minor")?)))
        .collect()
}
