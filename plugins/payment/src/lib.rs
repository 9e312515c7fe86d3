//! Counterparts of money: the UnionPay gateway's wire protocol.
