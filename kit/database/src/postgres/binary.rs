//! Encodes and decodes values in PostgreSQL's binary form.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use pando_clock::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::row::Column;
use crate::{ColumnType, DatabaseError, Value};

/// PostgreSQL counts its microseconds from 2000-01-01.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

type Fault = Box<dyn Error + Sync + Send>;

/// A parameter on its way to the server.
#[derive(Debug)]
pub(crate) struct Bound<'a>(pub(crate) &'a Value);

/// Refuses values that do not fit the types the server expects, before anything is sent.
pub(crate) fn check(name: &'static str, types: &[Type], values: &[Value]) -> Result<(), DatabaseError> {
    crate::parameters::check(name, types.len(), values)?;
    for (index, (expected, value)) in types.iter().zip(values).enumerate() {
        if !fits(value, expected) {
            let reason = format!("{} does not fit the type {expected}", value.kind());
            return Err(DatabaseError::BadParameter { name, parameter: index + 1, reason });
        }
    }
    Ok(())
}

fn fits(value: &Value, expected: &Type) -> bool {
    let is = |types: &[Type]| types.contains(expected);
    match value {
        Value::Null => true,
        Value::Bool(_) => is(&[Type::BOOL]),
        Value::Int(number) => match *expected {
            Type::INT2 => i16::try_from(*number).is_ok(),
            Type::INT4 => i32::try_from(*number).is_ok(),
            _ => is(&[Type::INT8]),
        },
        Value::Real(_) => is(&[Type::FLOAT8]),
        Value::Text(_) => is(&[Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::UNKNOWN]),
        Value::Bytes(_) => is(&[Type::BYTEA]),
        Value::Uuid(_) => is(&[Type::UUID]),
        Value::Timestamp(_) => is(&[Type::TIMESTAMPTZ]),
        Value::Json(_) => is(&[Type::JSONB, Type::JSON]),
        Value::UuidArray(_) => is(&[Type::UUID_ARRAY]),
        Value::TextArray(_) => is(&[Type::TEXT_ARRAY, Type::VARCHAR_ARRAY]),
        Value::IntArray(numbers) => match *expected {
            Type::INT4_ARRAY => numbers.iter().all(|number| i32::try_from(*number).is_ok()),
            _ => is(&[Type::INT8_ARRAY]),
        },
        Value::List(_, values) => match expected.kind() {
            Kind::Array(member) => values.iter().all(|value| fits(value, member)),
            _ => false,
        },
    }
}

/// The type a value has by itself, for statements that are not prepared.
pub(crate) fn natural_type(value: &Value) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Bool(_) => Type::BOOL,
        Value::Int(_) => Type::INT8,
        Value::Real(_) => Type::FLOAT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
        Value::Uuid(_) => Type::UUID,
        Value::Timestamp(_) => Type::TIMESTAMPTZ,
        Value::Json(_) => Type::JSONB,
        Value::UuidArray(_) => Type::UUID_ARRAY,
        Value::TextArray(_) => Type::TEXT_ARRAY,
        Value::IntArray(_) => Type::INT8_ARRAY,
        Value::List(kind, _) => list_type(*kind),
    }
}

/// The type of a list of this type.
fn list_type(kind: ColumnType) -> Type {
    match kind {
        ColumnType::Boolean => Type::BOOL_ARRAY,
        ColumnType::Smallint => Type::INT2_ARRAY,
        ColumnType::Integer => Type::INT4_ARRAY,
        ColumnType::Bigint => Type::INT8_ARRAY,
        ColumnType::Double => Type::FLOAT8_ARRAY,
        ColumnType::Text => Type::TEXT_ARRAY,
        ColumnType::Bytes => Type::BYTEA_ARRAY,
        ColumnType::Uuid => Type::UUID_ARRAY,
        ColumnType::Timestamp => Type::TIMESTAMPTZ_ARRAY,
        ColumnType::Json => Type::JSONB_ARRAY,
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Bool(value) => value.to_sql(ty, out),
            Value::Int(number) => match *ty {
                Type::INT2 => i16::try_from(*number)?.to_sql(ty, out),
                Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
                _ => number.to_sql(ty, out),
            },
            Value::Real(number) => number.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
            Value::Uuid(id) => id.to_sql(ty, out),
            Value::Timestamp(moment) => (moment.as_micros() - POSTGRES_EPOCH).to_sql(&Type::INT8, out),
            Value::Json(text) => {
                // The version of the format of jsonb.
                if *ty == Type::JSONB {
                    out.put_u8(1);
                }
                text.to_sql(ty, out)
            }
            Value::UuidArray(ids) => ids.to_sql(ty, out),
            Value::TextArray(texts) => texts.to_sql(ty, out),
            Value::IntArray(numbers) => match ty.kind() {
                Kind::Array(member) if *member == Type::INT4 => {
                    let small: Result<Vec<i32>, _> =
                        numbers.iter().map(|number| i32::try_from(*number)).collect();
                    small?.to_sql(ty, out)
                }
                _ => numbers.to_sql(ty, out),
            },
            Value::List(_, values) => values.iter().map(Bound).collect::<Vec<_>>().to_sql(ty, out),
        }
    }

    /// `check` has the last word: it can name the statement.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Column<'a> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(match *ty {
            Type::BOOL => Column::Bool(bool::from_sql(ty, raw)?),
            Type::INT2 => Column::Int(i64::from(i16::from_sql(ty, raw)?)),
            Type::INT4 => Column::Int(i64::from(i32::from_sql(ty, raw)?)),
            Type::INT8 => Column::Int(i64::from_sql(ty, raw)?),
            Type::FLOAT4 => Column::Real(f64::from(f32::from_sql(ty, raw)?)),
            Type::FLOAT8 => Column::Real(f64::from_sql(ty, raw)?),
            Type::BYTEA => Column::Bytes(raw),
            Type::UUID => Column::Uuid(uuid::Uuid::from_slice(raw)?),
            Type::TIMESTAMPTZ => {
                let micros = i64::from_sql(&Type::INT8, raw)?;
                Column::Timestamp(Timestamp::from_micros(micros.saturating_add(POSTGRES_EPOCH)))
            }
            Type::JSON => Column::Json(std::str::from_utf8(raw)?),
            // One byte of version before the text.
            Type::JSONB => Column::Json(std::str::from_utf8(raw.get(1..).unwrap_or_default())?),
            _ => Column::Text(std::str::from_utf8(raw)?),
        })
    }

    fn accepts(ty: &Type) -> bool {
        const READABLE: [Type; 15] = [
            Type::BOOL,
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::FLOAT4,
            Type::FLOAT8,
            Type::BYTEA,
            Type::UUID,
            Type::TIMESTAMPTZ,
            Type::JSON,
            Type::JSONB,
            Type::TEXT,
            Type::VARCHAR,
            Type::BPCHAR,
            Type::NAME,
        ];
        READABLE.contains(ty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_must_fit_the_type_the_server_expects() {
        let values = [Value::Int(40_000)];
        assert!(check("q", &[Type::INT4], &values).is_ok());
        for (expected, reason) in [
            (Type::INT2, "parameter 1 of q: an integer does not fit the type int2"),
            (Type::TEXT, "parameter 1 of q: an integer does not fit the type text"),
        ] {
            assert_eq!(check("q", &[expected], &values).unwrap_err().to_string(), reason);
        }
        assert!(check("q", &[Type::POINT], &[Value::Null]).is_ok());
        assert!(check("q", &[], &values).is_err());
    }
}
