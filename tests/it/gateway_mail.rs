//! Mail against a real server: what arrives, and on which side of "certainly not sent" each fault lies.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use bongsu::model::{Channel, Page, Reason, Secret, Severity, SmtpWay, Way, WayKind};
use bongsu::notify::{Address, Gateway, Refusal, Sent, SmtpGateway};
use bongsu::time::{MINUTE, SystemClock};

use super::smtp::Smtp;

struct Settings {
    port: u16,
    implicit_tls: bool,
    ca_file: Option<PathBuf>,
    password: &'static str,
}

fn over(smtp: &Smtp) -> Settings {
    Settings { port: smtp.starttls, implicit_tls: false, ca_file: Some(smtp.authority()), password: "password" }
}

fn gateway(settings: Settings) -> SmtpGateway {
    // An error means that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let way = SmtpWay {
        host: "localhost".to_owned(),
        port: settings.port,
        implicit_tls: settings.implicit_tls,
        ca_file: settings.ca_file,
        from: "긴급신고 관제 <alert@example.test>".to_owned(),
        domain: "example.test".to_owned(),
        login: None,
        domains: vec!["example.test".to_owned()],
    };
    let gateway = Way {
        id: "mail".to_owned(),
        channel: Channel::Mail,
        rate: None,
        concurrency: 1,
        timeout: 2_000,
        kind: WayKind::Smtp(Box::new(way.clone())),
    };
    let login = (Secret::new("user"), Secret::new(settings.password));
    SmtpGateway::new(&gateway, &way, Some(login), Arc::new(SystemClock)).unwrap()
}

fn page(id: &str) -> Page {
    Page {
        id: id.to_owned(),
        incident: "INC-2511-001".to_owned(),
        severity: Severity::S1,
        reason: Reason::First,
        step: 0,
        round: 0,
        occurrence: 1,
        to: "duty-1".to_owned(),
        channel: Channel::Mail,
        title: "[긴급신고][장애발생][중대] INC-2511-001 응용구간 09:12".to_owned(),
        text: "[긴급신고 관제알림] 장애 발생(1보)\n■ 등급/구간: 중대 / 응용구간\n.\n끝".to_owned(),
        decided: 0,
        due: 0,
        wanted: MINUTE,
        deadline: MINUTE,
        came: None,
        prompt: false,
    }
}

fn send(gateway: &SmtpGateway, page: &Page) -> Sent {
    gateway.send(page, &Address("duty-1@example.test".to_owned()))
}

fn refused(reason: Refusal, permanent: bool) -> Sent {
    Sent::Refused { reason, permanent, retry_after: None }
}

#[test]
fn a_mail_arrives_whole_over_tls_and_its_incident_is_one_thread() {
    let smtp = Smtp::start();
    let implicit = Settings { port: smtp.implicit, implicit_tls: true, ..over(&smtp) };
    for settings in [over(&smtp), implicit] {
        let gateway = gateway(settings);
        let mut peers = Vec::new();
        for id in ["p-1", "p-2"] {
            let page = page(id);
            assert!(matches!(send(&gateway, &page), Sent::Accepted { id } if id.starts_with("mail/")));
            let mail = smtp.mail();
            assert_eq!((&mail["subject"], &mail["to"][0]), (&page.title.into(), &"duty-1@example.test".into()));
            assert_eq!(mail["text"].as_str().unwrap().trim_end(), page.text);
            assert_eq!(mail["from"], "긴급신고 관제 <alert@example.test>");
            assert_eq!(mail["id"], format!("<{id}@example.test>"));
            for header in ["references", "reply"] {
                assert_eq!(mail[header], "<INC-2511-001@example.test>");
            }
            assert_eq!((&mail["auto"], &mail["suppress"]), (&"auto-generated".into(), &"All".into()));
            assert_eq!((&mail["tls"], &mail["ascii"]), (&true.into(), &true.into()));
            peers.push(mail["peer"].clone());
        }
        assert_eq!(peers[0], peers[1], "the connection is used again");
    }
}

#[test]
fn a_refusal_says_whose_fault_it_is_and_whether_it_may_pass() {
    let smtp = Smtp::start();
    let gateway = gateway(over(&smtp));
    for (fault, expected) in [
        ("rcpt 450", refused(Refusal::Recipient, false)),
        ("rcpt 550", refused(Refusal::Recipient, true)),
        ("data 451", refused(Refusal::Server, false)),
        ("data 552", refused(Refusal::Content, true)),
    ] {
        smtp.order(fault);
        assert_eq!(send(&gateway, &page("p")), expected, "{fault}");
    }
    assert!(smtp.is_quiet());
    assert!(matches!(send(&gateway, &page("p")), Sent::Accepted { .. }), "the next one is not spoilt");
}

#[test]
fn after_the_mail_was_written_a_lost_answer_is_unknown() {
    let smtp = Smtp::start();
    let gateway = gateway(over(&smtp));
    for fault in ["data hang", "data cut"] {
        smtp.order(fault);
        assert!(matches!(send(&gateway, &page("p")), Sent::Unknown { .. }), "{fault}");
        assert_eq!(smtp.mail()["id"], "<p@example.test>", "the server has it");
    }
}

#[test]
fn a_server_that_says_nothing_or_is_not_there_was_certainly_not_given_the_mail() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let settings = || Settings { port, implicit_tls: false, ca_file: None, password: "password" };
    assert_eq!(send(&gateway(settings()), &page("p")), refused(Refusal::Timeout, false));
    drop(silent);
    assert_eq!(send(&gateway(settings()), &page("p")), refused(Refusal::Timeout, false));
}

#[test]
fn a_wrong_login_is_final_and_a_certificate_of_somebody_else_ends_the_conversation() {
    let smtp = Smtp::start();
    let wrong = Settings { password: "other", ..over(&smtp) };
    assert_eq!(send(&gateway(wrong), &page("p")), refused(Refusal::Auth, true));
    let other = Smtp::start();
    let foreign = Settings { ca_file: Some(other.authority()), ..over(&smtp) };
    assert!(matches!(send(&gateway(foreign), &page("p")), Sent::Refused { permanent: false, .. }));
    assert!(smtp.is_quiet());
}

#[test]
fn mail_goes_to_named_domains_alone() {
    let smtp = Smtp::start();
    let gateway = gateway(over(&smtp));
    for address in ["a@other.test", "a@sub.example.test", "a@example.test.evil.test", "nobody"] {
        let sent = gateway.send(&page("p"), &Address(address.to_owned()));
        assert_eq!(sent, refused(Refusal::Recipient, true), "{address}");
    }
    assert!(matches!(gateway.send(&page("p"), &Address("a@Example.TEST".to_owned())), Sent::Accepted { .. }));
}

#[test]
fn a_server_without_tls_hears_nothing_but_a_greeting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 localhost\r\n").unwrap();
        let mut heard = Vec::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
            if line.starts_with("EHLO") {
                stream.write_all(b"250-localhost\r\n250 AUTH PLAIN LOGIN\r\n").unwrap();
            }
            heard.push(line);
        }
        heard
    });
    let gateway = gateway(Settings { port, implicit_tls: false, ca_file: None, password: "password" });
    assert_eq!(send(&gateway, &page("p")), refused(Refusal::Auth, false));
    drop(gateway);
    let heard = server.join().unwrap();
    assert!(heard.iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{heard:?}");
}
