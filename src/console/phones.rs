//! Each phone with what it got, as the person who holds it saw it.
//!
//! The idea: who checks at the desk what somebody was told must see the very text, its form and its length; only the
//! one-time code stays on the phone. People who got nothing are one line, however many they are.

use super::html::Html;
use super::sections::{Shown, none, section};
use crate::model::{Channel, Contact, PageRow, PageState, ack_code, carrier_bytes, mask_email, mask_name, mask_phone};

/// Messages shown on each phone, newest first.
const PHONE_ROWS: usize = 10;
/// Longest SMS, in bytes as carriers count.
const SMS_BYTES: usize = 90;

/// How a message travels: its channel and, for texts, whether it fits an SMS.
pub(super) fn form(row: &PageRow) -> &'static str {
    match row.page.channel {
        Channel::Sms if row.page.title.is_empty() && carrier_bytes(&row.page.text) <= SMS_BYTES => "SMS",
        Channel::Sms => "LMS",
        Channel::Mms => "MMS",
        Channel::Mail => "메일",
    }
}

/// Whether somebody has it, or may have it.
fn has_left(row: &PageRow) -> bool {
    matches!(row.state, PageState::Accepted | PageState::Delivered | PageState::Handed | PageState::Unknown)
}

/// Each phone with what it got.
pub(super) fn phones(html: &mut Html, shown: &Shown) {
    section(html, "단말별 수신 문자", |html| {
        if shown.contacts.is_empty() {
            return none(html, "연락처가 없습니다.");
        }
        let got = |contact: &Contact| -> Vec<&PageRow> {
            shown.pages.iter().filter(|row| row.page.to == contact.id && has_left(row)).collect()
        };
        let all: Vec<(&Contact, Vec<&PageRow>)> =
            shown.contacts.iter().map(|contact| (contact, got(contact))).collect();
        let (told, untold): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, rows)| !rows.is_empty());
        if !told.is_empty() {
            html.raw("<p class=\"sub\">단말마다 최근 ").num(PHONE_ROWS as i128);
            html.raw("건. 수신확인 코드는 받은 사람의 단말에만 표시됩니다.</p><div class=\"phones\">");
            told.iter().for_each(|(contact, rows)| phone(html, contact, rows));
            html.raw("</div>");
        }
        if !untold.is_empty() {
            let ids: Vec<&str> = untold.iter().map(|(contact, _)| contact.id.as_str()).collect();
            html.raw("<p class=\"sub\">받은 문자 없음: ").text(&ids.join(", ")).raw("</p>");
        }
    });
}

fn phone(html: &mut Html, contact: &Contact, rows: &[&PageRow]) {
    html.raw("<article class=\"phone\" data-contact=\"").text(&contact.id).raw("\"><h3>").text(&contact.id);
    html.raw("</h3><p class=\"sub\">").text(&contact.org).raw(" · ").text(&contact.roles.join(", "));
    html.raw(" · ").text(&mask_name(&contact.name));
    let addresses = [contact.phone.as_deref().map(mask_phone), contact.email.as_deref().map(mask_email)];
    for masked in addresses.into_iter().flatten() {
        html.raw(" · ").text(&masked);
    }
    html.raw("</p><ol tabindex=\"0\" aria-label=\"받은 문자\">");
    for row in rows.iter().take(PHONE_ROWS) {
        html.raw("<li><span class=\"sub\">").time(Some(row.done.or(row.handed).unwrap_or(row.page.decided)));
        html.raw(" · ").raw(form(row)).raw(" · ").num(carrier_bytes(&row.page.text) as i128).raw("바이트");
        if !matches!(row.state, PageState::Accepted | PageState::Delivered) {
            html.raw(" · ").raw(row.state.korean());
        }
        html.raw("</span><p class=\"bubble\">");
        if !row.page.title.is_empty() {
            html.raw("<strong>").text(&row.page.title).raw("</strong>\n");
        }
        html.text(&ack_code::veil(&row.page.text)).raw("</p></li>");
    }
    html.raw("</ol></article>");
}
