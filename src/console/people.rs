//! The choice of a person in a form: contacts by their number's owner, masked, the nameless first where nobody need be named.

use super::html::Html;
use crate::model::{Contact, mask_name};

/// Who does it.
pub(super) fn who(html: &mut Html, contacts: &[Contact]) {
    html.raw("<label>처리자<select name=\"by\"><option value=\"console\">관제 운영자</option>");
    options(html, contacts);
    html.raw("</select></label>");
}

/// To whom it goes: nobody is chosen beforehand.
pub(super) fn to(html: &mut Html, contacts: &[Contact]) {
    html.raw("<label>인수자<select name=\"to\" required><option value=\"\">고르십시오</option>");
    options(html, contacts);
    html.raw("</select></label>");
}

/// One option for each contact.
pub(super) fn options(html: &mut Html, contacts: &[Contact]) {
    for contact in contacts {
        html.raw("<option value=\"").text(&contact.id).raw("\">").text(&contact.id).raw(" (").text(&contact.org);
        html.raw(" ").text(&mask_name(&contact.name)).raw(")</option>");
    }
}
