//! What a query binds, while the OIDs of the types in it are not known.
//!
//! The OID of an enum or a composite type differs from database to database; a connection looks it
//! up and writes it not only beside the values but, for arrays and composites, into them. The query
//! is taken apart before there is a connection. So its values are collected twice, with OIDs that
//! are made up, and in the second pass are the complement of those of the first: where the results
//! differ, and nowhere else, an OID belongs. The connection that runs the query fills it in.

use std::fmt;

use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};
use diesel::query_builder::QueryFragment;
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::result::{Error, QueryResult};

/// Values whose OIDs are filled in later.
#[expect(unnameable_types, reason = "it is part of what is sealed")]
pub struct PgBinds {
    metadata: Vec<Metadata>,
    values: Vec<Option<Vec<u8>>>,
    types: Vec<TypeName>,
    holes: Vec<Hole>,
}

/// Without the values, which are the application's.
impl fmt::Debug for PgBinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.len();
        f.debug_struct("PgBinds")
            .field("values", &values)
            .finish_non_exhaustive()
    }
}

/// The type of a value.
enum Metadata {
    /// One that is the same everywhere.
    Given(PgTypeMetadata),
    /// The type of this index, among those that have to be looked up.
    Named(usize),
    /// The arrays of that type.
    ArrayOf(usize),
}

#[derive(PartialEq, Eq)]
struct TypeName {
    schema: Option<String>,
    name: String,
}

/// Where an OID belongs.
struct Hole {
    value: usize,
    at: usize,
    /// The type whose OID it is, or the OID of whose array.
    named: usize,
    is_array: bool,
}

/// Made up from here on: a number that no type of PostgreSQL's own has.
const FIRST_OID: u32 = 0x4000_0000;

const OID_SIZE: usize = size_of::<u32>();

/// Makes OIDs up, and remembers for whom.
struct MadeUp {
    complement: bool,
    types: Vec<TypeName>,
}

impl MadeUp {
    const fn new(complement: bool) -> Self {
        Self {
            complement,
            types: Vec::new(),
        }
    }

    fn oid(&self, named: usize, is_array: bool) -> Option<u32> {
        let number = u32::try_from(2 * named + usize::from(is_array)).ok()?;
        let oid = FIRST_OID.checked_add(number)?;
        Some(if self.complement { !oid } else { oid })
    }

    /// The type, and whether it is its array, that an OID was made up for.
    fn meaning(&self, oid: u32) -> Option<(usize, bool)> {
        let oid = if self.complement { !oid } else { oid };
        let number = usize::try_from(oid.checked_sub(FIRST_OID)?).ok()?;
        (number / 2 < self.types.len()).then_some((number / 2, number % 2 == 1))
    }
}

impl PgMetadataLookup for MadeUp {
    fn lookup_type(&mut self, name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let wanted = TypeName {
            schema: schema.map(ToOwned::to_owned),
            name: name.to_owned(),
        };
        let named = self.types.iter().position(|known| *known == wanted);
        let named = named.unwrap_or_else(|| {
            self.types.push(wanted);
            self.types.len() - 1
        });
        match (self.oid(named, false), self.oid(named, true)) {
            (Some(oid), Some(array)) => PgTypeMetadata::new(oid, array),
            // A thousand million types are too many for PostgreSQL as well.
            _ => PgTypeMetadata::new(0, 0),
        }
    }
}

impl PgBinds {
    pub(super) fn of<Q: QueryFragment<Pg>>(query: &Q) -> QueryResult<Self> {
        let mut first = MadeUp::new(false);
        let mut collected = RawBytesBindCollector::<Pg>::new();
        query.collect_binds(&mut collected, &mut first, &Pg)?;
        if first.types.is_empty() {
            return Ok(Self {
                metadata: collected
                    .metadata
                    .into_iter()
                    .map(Metadata::Given)
                    .collect(),
                values: collected.binds,
                types: Vec::new(),
                holes: Vec::new(),
            });
        }
        let mut second = MadeUp::new(true);
        let mut again = RawBytesBindCollector::<Pg>::new();
        query.collect_binds(&mut again, &mut second, &Pg)?;
        if first.types != second.types || collected.binds.len() != again.binds.len() {
            return Err(unsteady());
        }
        let mut holes = Vec::new();
        for (value, pair) in collected.binds.iter().zip(&again.binds).enumerate() {
            match pair {
                (Some(one), Some(other)) => find_holes(value, one, other, &first, &mut holes)?,
                (None, None) => {}
                _ => return Err(unsteady()),
            }
        }
        let metadata = collected.metadata.into_iter().map(|metadata| {
            match metadata.oid().ok().and_then(|oid| first.meaning(oid)) {
                Some((named, false)) => Metadata::Named(named),
                Some((named, true)) => Metadata::ArrayOf(named),
                None => Metadata::Given(metadata),
            }
        });
        Ok(Self {
            metadata: metadata.collect(),
            values: collected.binds,
            types: first.types,
            holes,
        })
    }

    /// Puts the values into another collector, with the OIDs that this one finds.
    pub(super) fn replay(
        &self,
        out: &mut RawBytesBindCollector<Pg>,
        lookup: &mut (dyn PgMetadataLookup + 'static),
    ) -> QueryResult<()> {
        let found: Vec<PgTypeMetadata> = self
            .types
            .iter()
            .map(|wanted| lookup.lookup_type(&wanted.name, wanted.schema.as_deref()))
            .collect();
        let start = out.binds.len();
        out.binds.extend_from_slice(&self.values);
        for hole in &self.holes {
            let metadata = found.get(hole.named).ok_or_else(unsteady)?;
            let oid = if hole.is_array {
                metadata.array_oid().map_err(not_found)?
            } else {
                metadata.oid().map_err(not_found)?
            };
            out.binds
                .get_mut(start + hole.value)
                .and_then(Option::as_mut)
                .and_then(|value| value.get_mut(hole.at..hole.at + OID_SIZE))
                .ok_or_else(unsteady)?
                .copy_from_slice(&oid.to_be_bytes());
        }
        for metadata in &self.metadata {
            let of = |named: &usize| found.get(*named).ok_or_else(unsteady);
            out.metadata.push(match metadata {
                Metadata::Given(metadata) => metadata.clone(),
                Metadata::Named(named) => of(named)?.clone(),
                // As Diesel has it: there are no arrays of arrays.
                Metadata::ArrayOf(named) => {
                    PgTypeMetadata::new(of(named)?.array_oid().map_err(not_found)?, 0)
                }
            });
        }
        Ok(())
    }
}

/// Finds where two collections of one value differ. Each byte of an OID does.
fn find_holes(
    value: usize,
    one: &[u8],
    other: &[u8],
    made_up: &MadeUp,
    holes: &mut Vec<Hole>,
) -> QueryResult<()> {
    if one.len() != other.len() {
        return Err(unsteady());
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] == other[at] {
            at += 1;
            continue;
        }
        let oid = |bytes: &[u8]| {
            let bytes = bytes.get(at..at + OID_SIZE)?;
            Some(u32::from_be_bytes(bytes.try_into().ok()?))
        };
        let (Some(first), Some(second)) = (oid(one), oid(other)) else {
            return Err(unsteady());
        };
        match made_up.meaning(first) {
            Some((named, is_array)) if second == !first => holes.push(Hole {
                value,
                at,
                named,
                is_array,
            }),
            _ => return Err(unsteady()),
        }
        at += OID_SIZE;
    }
    Ok(())
}

fn not_found(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::SerializationError(Box::new(error))
}

/// A value that is written differently each time cannot be taken apart.
fn unsteady() -> Error {
    let message = "a value was written differently the second time, so that the OIDs of the types \
                   in it could not be found; run the query on `primary()`";
    Error::SerializationError(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_up(types: usize) -> MadeUp {
        let mut made_up = MadeUp::new(false);
        for number in 0..types {
            let oids = made_up.lookup_type(&format!("type_{number}"), None);
            assert!(oids.oid().is_ok());
        }
        made_up
    }

    fn holes(parts: &[Result<u8, u32>]) -> QueryResult<Vec<(usize, usize, bool)>> {
        let bytes = |complement: bool| -> Vec<u8> {
            let parts = parts.iter().flat_map(|part| match part {
                Ok(byte) => vec![*byte],
                Err(oid) if complement => (!oid).to_be_bytes().to_vec(),
                Err(oid) => oid.to_be_bytes().to_vec(),
            });
            parts.collect()
        };
        let mut found = Vec::new();
        find_holes(0, &bytes(false), &bytes(true), &made_up(3), &mut found)?;
        let found = found
            .iter()
            .map(|hole| (hole.at, hole.named, hole.is_array));
        Ok(found.collect())
    }

    #[test]
    fn oids_are_found_wherever_they_are() {
        assert_eq!(holes(&[Ok(0), Ok(64)]).expect("nothing"), []);
        let two = [Ok(7), Err(FIRST_OID), Err(FIRST_OID + 5), Ok(64), Ok(0)];
        let expected = [(1, 0, false), (5, 2, true)];
        assert_eq!(holes(&two).expect("two"), expected);
        holes(&[Err(FIRST_OID + 6)]).expect_err("made up for nobody");
    }

    #[test]
    fn what_is_not_steady_is_an_error() {
        let mut found = Vec::new();
        let types = made_up(1);
        find_holes(0, b"ab", b"abc", &types, &mut found).expect_err("another length");
        find_holes(0, b"abcdef", b"abcdeg", &types, &mut found).expect_err("no room for an OID");
        find_holes(0, b"abcdef", b"xbcdef", &types, &mut found).expect_err("no OID");
    }
}
