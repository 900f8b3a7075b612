//! Duty rotas (당번표): who is on duty when.
//!
//! The idea: a rota is arithmetic, not a list of dates: members in order, a first hand-over and the length of a shift
//! give the one on duty at any instant, for ever. Covers are laid over it. Who of them may be told is not known here.

use crate::time::Ms;

/// Somebody else for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// From,
    pub from: Ms,
    /// until, exclusive,
    pub until: Ms,
    /// this contact.
    pub who: String,
}

/// Contacts who take turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rota {
    /// Stable id.
    pub id: String,
    /// Contacts in the order of their turns; never empty.
    pub members: Vec<String>,
    /// When the first member's first shift begins.
    pub start: Ms,
    /// Length of a shift, ms; more than 0.
    pub shift: Ms,
    /// The organisation and role in which its members are told only while on duty.
    pub fills: Option<(String, String)>,
    /// Covers; of two that overlap the later in the file counts.
    pub covers: Vec<Cover>,
}

impl Rota {
    /// Everybody who may stand in at `at`, best first: the cover, then the one whose turn it is, then the others in the
    /// order of their turns. Before the start the turns are counted backwards.
    pub fn order(&self, at: Ms) -> impl Iterator<Item = &str> {
        let cover = self.covers.iter().rev().find(|cover| (cover.from..cover.until).contains(&at));
        let count = self.members.len().max(1);
        let turn = (at - self.start).div_euclid(self.shift.max(1));
        let first = usize::try_from(turn.rem_euclid(i64::try_from(count).unwrap_or(1))).unwrap_or(0);
        let members = (0..self.members.len()).filter_map(move |n| self.members.get((first + n) % count));
        cover.map(|cover| cover.who.as_str()).into_iter().chain(members.map(String::as_str))
    }

    /// Whether `contact` takes turns in a role of an organisation.
    pub fn has_turns(&self, contact: &str, org: &str, role: &str) -> bool {
        let fills = self.fills.as_ref().is_some_and(|(own, part)| own == org && part == role);
        fills && self.members.iter().any(|member| member == contact)
    }

    /// The first instant after `at` at which somebody else may be on duty.
    pub fn next_change(&self, at: Ms) -> Ms {
        let shift = self.shift.max(1);
        let hand_over = self.start + ((at - self.start).div_euclid(shift) + 1) * shift;
        let edges = self.covers.iter().flat_map(|cover| [cover.from, cover.until]);
        edges.filter(|edge| *edge > at).chain([hand_over]).min().unwrap_or(hand_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, HOUR, KST, parse_instant};

    fn at(text: &str) -> Ms {
        parse_instant(text, KST).expect("an instant")
    }

    fn rota(shift: Ms) -> Rota {
        Rota {
            id: "duty".to_owned(),
            members: ["a", "b", "c"].map(str::to_owned).to_vec(),
            start: at("2026-01-01 09:00"),
            shift,
            fills: None,
            covers: Vec::new(),
        }
    }

    fn first(rota: &Rota, text: &str) -> String {
        rota.order(at(text)).next().expect("somebody").to_owned()
    }

    #[test]
    fn turns_go_on_over_ends_of_months_and_years_and_change_at_the_hand_over() {
        let daily = rota(DAY);
        for (text, wanted) in [
            ("2026-01-01 09:00", "a"),
            ("2026-01-02 08:59:59.999", "a"),
            ("2026-01-02 09:00", "b"),
            ("2026-01-31 12:00", "a"), // 30 days on
            ("2026-02-01 12:00", "b"),
            ("2026-02-28 12:00", "b"), // 58
            ("2026-03-01 12:00", "c"), // 59: no 29 February
            ("2026-12-31 12:00", "b"), // 364
            ("2027-01-01 12:00", "c"),
            ("2028-02-29 12:00", "a"), // 789
            ("2025-12-31 12:00", "c"), // before the start
        ] {
            assert_eq!(first(&daily, text), wanted, "{text}");
        }
        let weekly = rota(7 * DAY);
        assert_eq!(["2026-01-08 08:59", "2026-01-08 09:00"].map(|text| first(&weekly, text)), ["a", "b"]);
        let half = rota(12 * HOUR);
        assert_eq!(["2026-01-31 20:59", "2026-01-31 21:00"].map(|text| first(&half, text)), ["a", "b"]);
        assert_eq!(daily.order(at("2026-01-02 10:00")).collect::<Vec<_>>(), ["b", "c", "a"]);
    }

    #[test]
    fn covers_stand_in_and_the_turns_go_on_beneath_them() {
        let mut rota = rota(DAY);
        let cover =
            |from: &str, until: &str, who: &str| Cover { from: at(from), until: at(until), who: who.to_owned() };
        rota.covers = vec![
            cover("2026-01-31 09:00", "2026-02-02 09:00", "c"),
            cover("2026-02-01 09:00", "2026-02-01 18:00", "d"),
        ];
        for (text, wanted) in [
            ("2026-01-31 08:59", "c"),
            ("2026-01-31 09:00", "c"),
            ("2026-02-01 09:00", "d"),
            ("2026-02-01 18:00", "c"),
            ("2026-02-02 09:00", "c"),
            ("2026-02-03 09:00", "a"),
        ] {
            assert_eq!(first(&rota, text), wanted, "{text}");
        }
        let mut edges = vec![at("2026-01-31 08:00")];
        for _ in 0..5 {
            edges.push(rota.next_change(*edges.last().unwrap()));
        }
        let wanted =
            ["2026-01-31 09:00", "2026-02-01 09:00", "2026-02-01 18:00", "2026-02-02 09:00", "2026-02-03 09:00"];
        assert_eq!(edges[1..], wanted.map(at));
    }
}
