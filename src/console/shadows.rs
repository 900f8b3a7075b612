//! The part of the page about rules in shadow: what each would have done beside the live one.

use super::html::Html;
use super::sections::{Shown, section};

/// Comparisons, one after the other; nothing where no rule is in shadow.
pub(super) fn shadows(html: &mut Html, shown: &Shown) {
    if shown.status.shadows.is_empty() {
        return;
    }
    section(html, "시험운영(shadow) 규칙", |html| {
        html.raw("<p class=\"sub\">아무에게도 알리지 않습니다. 통보 수는 예상치입니다: 첫 통보는 연락망 첫 단계, 괄호 안은 아무도 수신확인하지 않을 때 다음 단계, 반복, 복구 통보까지 더한 수입니다.</p>");
        for view in &shown.status.shadows {
            html.raw("<article data-shadow=\"").text(&view.rule).raw("\">");
            for line in &view.lines {
                html.raw("<p>").text(line.trim()).raw("</p>");
            }
            html.raw("</article>");
        }
    });
}
