//! The '클라우드 운영 비상연락망': who is told in which order, as HTML for print and as CSV.
//!
//! The idea: one row per contact, in the order of tiers; names and addresses are masked unless the caller says that it
//! noted who asked for them. Markup is text of this program alone, every value is escaped.

use crate::model::{Contact, People, Rota, mask_email, mask_name, mask_phone};
use crate::time::{Ms, civil, show_duration};

/// What a document shows.
#[derive(Debug, Clone, Copy)]
pub struct Sheet<'a> {
    /// Contacts, chains and rotas.
    pub people: &'a People,
    /// The instant of the document.
    pub at: Ms,
    /// Names and addresses in full.
    pub unmasked: bool,
    /// How long a confirmation counts, ms.
    pub fresh_for: Ms,
    /// Contacts whose number a carrier refused for good.
    pub refused: &'a [String],
}

const HEADINGS: [&str; 11] =
    ["단계", "소속", "직위", "성명", "역할", "담당구간", "전화", "전자우편", "유효기간", "최종확인", "상태"];

/// How a contact stands: what has to be done about it, or 정상.
pub fn state(sheet: &Sheet<'_>, contact: &Contact) -> &'static str {
    if sheet.refused.contains(&contact.id) {
        return "수신불가";
    }
    if contact.until.is_some_and(|until| until <= sheet.at) {
        return "만료";
    }
    if contact.from.is_some_and(|from| from > sheet.at) {
        return "시작 전";
    }
    match contact.confirmed {
        None => "미확인",
        Some(at) if sheet.at - at > sheet.fresh_for => "확인 지남",
        Some(_) => "정상",
    }
}

/// The cells of one contact, in the order of [`HEADINGS`].
pub fn cells(sheet: &Sheet<'_>, contact: &Contact) -> [String; 11] {
    let hide = |value: &str, mask: fn(&str) -> String| if sheet.unmasked { value.to_owned() } else { mask(value) };
    let domains: Vec<&str> = contact.domains.iter().map(|domain| domain.word()).collect();
    let valid = match (contact.from, contact.until) {
        (None, None) => "상시".to_owned(),
        (from, until) => format!("{}~{}", from.map_or_else(String::new, day), until.map_or_else(String::new, day)),
    };
    [
        contact.tier.map_or_else(|| "-".to_owned(), |tier| tier.to_string()),
        contact.org.clone(),
        contact.position.clone().unwrap_or_default(),
        hide(&contact.name, mask_name),
        contact.roles.join(", "),
        if domains.is_empty() { "전체".to_owned() } else { domains.join(", ") },
        contact.phone.as_deref().map_or_else(String::new, |phone| hide(phone, mask_phone)),
        contact.email.as_deref().map_or_else(String::new, |email| hide(email, mask_email)),
        valid,
        contact.confirmed.map_or_else(|| "-".to_owned(), day),
        state(sheet, contact).to_owned(),
    ]
}

/// Contacts in the order in which they are told: by tier, then as the file has them.
pub fn ordered<'a>(people: &'a People) -> Vec<&'a Contact> {
    let mut all: Vec<&'a Contact> = people.contacts.iter().collect();
    all.sort_by_key(|contact| contact.tier.unwrap_or(u8::MAX));
    all
}

/// The document as CSV (RFC 4180), with a mark by which spreadsheets know UTF-8.
pub fn csv(sheet: &Sheet<'_>) -> String {
    let mut text = "\u{feff}".to_owned();
    let mut line = |cells: &[String]| {
        let quoted: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&quoted.join(","));
        text.push_str("\r\n");
    };
    line(&HEADINGS.map(str::to_owned));
    for contact in ordered(sheet.people) {
        line(&cells(sheet, contact));
    }
    text
}

/// A cell in quotes; what a spreadsheet would take for a formula is made a text.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t']) && cell.chars().count() > 1;
    let text = cell.replace('"', "\"\"");
    if formula { format!("\"'{text}\"") } else { format!("\"{text}\"") }
}

/// The document as one HTML page for print.
pub fn html(sheet: &Sheet<'_>) -> String {
    let mut page = String::from(HEAD);
    page.push_str(&format!("<p class=\"at\">기준일 {}", escaped(&day(sheet.at))));
    page.push_str(if sheet.unmasked {
        " · <strong>개인정보 포함, 취급주의</strong></p>"
    } else {
        " · 개인정보 가림</p>"
    });
    page.push_str("<table><thead><tr>");
    HEADINGS.iter().for_each(|heading| page.push_str(&format!("<th scope=\"col\">{heading}</th>")));
    page.push_str("</tr></thead><tbody>");
    for contact in ordered(sheet.people) {
        let bad = if state(sheet, contact) == "정상" { "" } else { " class=\"bad\"" };
        page.push_str(&format!("<tr{bad}>"));
        cells(sheet, contact).iter().for_each(|cell| page.push_str(&format!("<td>{}</td>", escaped(cell))));
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table>");
    chains(sheet.people, &mut page);
    rotas(sheet, &mut page);
    page.push_str("</main></body></html>\n");
    page
}

fn chains(people: &People, page: &mut String) {
    page.push_str("<h2>전파 순서</h2><table><thead><tr><th scope=\"col\">체계</th><th scope=\"col\">순서</th></tr></thead><tbody>");
    for chain in &people.chains {
        let names = |to: &[crate::model::Target]| to.iter().map(|it| it.word()).collect::<Vec<_>>().join(", ");
        let steps = chain.steps.iter().enumerate().map(|(n, step)| {
            let when = step.when.as_ref().map_or_else(String::new, |when| format!(" [{}]", when.word()));
            format!("{}단계: {}{when} ({} 대기)", n + 1, names(&step.to), show_duration(step.wait))
        });
        let last = format!("최종: {} ({}마다)", names(&chain.last.to), show_duration(chain.last.repeat));
        let order: Vec<String> = steps.chain([last]).collect();
        let (id, order) = (escaped(&chain.id), escaped(&order.join(" → ")));
        page.push_str(&format!("<tr><td>{id}</td><td>{order}</td></tr>"));
    }
    page.push_str("</tbody></table>");
}

fn rotas(sheet: &Sheet<'_>, page: &mut String) {
    if sheet.people.rotas.is_empty() {
        return;
    }
    page.push_str("<h2>당번</h2><table><thead><tr><th scope=\"col\">당번표</th><th scope=\"col\">현재</th><th scope=\"col\">교대</th><th scope=\"col\">순번</th></tr></thead><tbody>");
    for rota in &sheet.people.rotas {
        let row: [String; 4] = row_of(sheet, rota);
        page.push_str("<tr>");
        row.iter().for_each(|cell| page.push_str(&format!("<td>{}</td>", escaped(cell))));
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table>");
}

fn row_of(sheet: &Sheet<'_>, rota: &Rota) -> [String; 4] {
    let now = sheet.people.on_duty(rota, sheet.at).map_or("없음", |contact| contact.id.as_str());
    let next = rota.next_change(sheet.at);
    let c = civil(next);
    let hand_over = format!("{} {:02}:{:02}", day(next), c.hour, c.minute);
    [rota.id.clone(), now.to_owned(), hand_over, rota.members.join(" → ")]
}

fn day(at: Ms) -> String {
    let c = civil(at);
    format!("{:04}-{:02}-{:02}", c.year, c.month, c.day)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

const HEAD: &str = "<!doctype html>\n<html lang=\"ko\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>클라우드 운영 비상연락망</title><style>\
@page{size:A4 landscape;margin:12mm}\
body{font-family:'Pretendard GOV','Noto Sans KR','Malgun Gothic',sans-serif;font-size:10pt;color:#1e2124;margin:0}\
main{max-width:277mm;margin:0 auto;padding:8mm}\
h1{font-size:18pt;text-align:center;margin:0 0 4mm}h2{font-size:12pt;margin:7mm 0 2mm}\
.at{text-align:right;margin:0 0 2mm}\
table{width:100%;border-collapse:collapse}th,td{border:1px solid #58616a;padding:1.4mm 1.8mm;text-align:left;vertical-align:top}\
th{background:#e6e8ea;white-space:nowrap}tr{break-inside:avoid}thead{display:table-header-group}\
td{overflow-wrap:anywhere;word-break:keep-all}\
.bad td:last-child{font-weight:700;text-decoration:underline}\
@media print{main{padding:0}th{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\
</style></head><body><main><h1>클라우드 운영 비상연락망</h1>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Chain, Domain};
    use crate::time::DAY;

    /// 2026-11-24 09:00 KST.
    const AT: Ms = 1_795_478_400_000;

    fn people() -> People {
        let contact = |id: &str, tier: u8, confirmed: Option<Ms>| Contact {
            id: id.to_owned(),
            org: "MSP".to_owned(),
            roles: vec!["duty".to_owned()],
            domains: vec![Domain::Infra],
            name: "가상인".to_owned(),
            phone: Some("010-0000-0001".to_owned()),
            email: Some("d1@example.test".to_owned()),
            confirmed,
            tier: Some(tier),
            position: Some("<책임>".to_owned()),
            ..Contact::default()
        };
        let contacts = vec![
            contact("late", 2, Some(AT - 400 * DAY)),
            contact("fresh", 0, Some(AT - DAY)),
            contact("refused", 1, Some(AT - DAY)),
            contact("never", 3, None),
            Contact { until: Some(AT), ..contact("ended", 4, Some(AT)) },
        ];
        let chain = Chain { id: "infra".to_owned(), default: true, ..Chain::default() };
        People { contacts, chains: vec![chain], ..People::default() }
    }

    fn sheet(people: &People, unmasked: bool, refused: &[String], show: impl Fn(&Sheet<'_>)) {
        show(&Sheet { people, at: AT, unmasked, fresh_for: 365 * DAY, refused });
    }

    #[test]
    fn contacts_stand_in_the_order_of_tiers_with_their_state() {
        let people = people();
        sheet(&people, false, &["refused".to_owned()], |sheet| {
            let states: Vec<_> =
                ordered(sheet.people).into_iter().map(|it| (it.id.as_str(), state(sheet, it))).collect();
            let wanted = [
                ("fresh", "정상"),
                ("refused", "수신불가"),
                ("late", "확인 지남"),
                ("never", "미확인"),
                ("ended", "만료"),
            ];
            assert_eq!(states, wanted);
        });
    }

    #[test]
    fn nothing_personal_stands_in_a_document_unless_it_was_asked_for() {
        let people = people();
        sheet(&people, false, &[], |sheet| {
            for text in [html(sheet), csv(sheet)] {
                for secret in ["가상인", "010-0000-0001", "d1@example.test"] {
                    assert!(!text.contains(secret), "{secret}: {text}");
                }
                assert!(text.contains("010-****-0001") && text.contains("가*인"), "{text}");
            }
        });
        sheet(&people, true, &[], |sheet| {
            assert!(html(sheet).contains("010-0000-0001") && html(sheet).contains("취급주의"));
        });
    }

    #[test]
    fn values_are_no_markup_and_no_formulas() {
        let people = people();
        sheet(&people, false, &[], |sheet| {
            assert!(html(sheet).contains("&lt;책임&gt;") && !html(sheet).contains("<책임>"));
        });
        assert_eq!(quoted("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!((quoted("a\"b"), quoted("-")), ("\"a\"\"b\"".to_owned(), "\"-\"".to_owned()));
    }
}
