//! Nothing lost, nothing twice (DESIGN 9), over SMTP.

use super::service::{Client, Service, hard_bounce, soft_bounce};
use crate::support::{Configuration, Daemon, Platform, SmallDisk, eventually, temp_dir};

const FULL: &str = "full@somewhere.test";

#[test]
fn a_bounce_ends_as_a_post() {
    let service = Service::start();
    service.client().mail(&hard_bounce("gone@somewhere.test"));
    assert_eq!(
        service.platform.wait_for_posts(1),
        ["/emails/gone%40somewhere.test/suspend"]
    );
    service.daemon.stop();
}

#[test]
fn a_domain_has_more_than_one_spelling() {
    let (folder, platform) = (temp_dir(), Platform::start());
    let file = Configuration::in_folder(folder.path())
        .platform("bücher.de", &platform)
        .section("smtp", &["listen: 127.0.0.1:0"])
        .write();
    let daemon = Daemon::start(&file, &["run"]);
    let mut client = Client::connect(daemon.smtp_port());
    client.asks("EHLO mx.test", "250 ");
    client.asks("MAIL FROM:<> SMTPUTF8", "250 ");
    client.asks("RCPT TO:<no-reply@bücher.de>", "250 ");
    client.asks("RCPT TO:<no-reply@xn--bcher-kva.de.>", "250 ");
    client.asks("RCPT TO:<no-reply@bucher.de>", "550 5.7.1 ");
    client.asks("RSET", "250 ");
    // From a mail server without SMTPUTF8, which most are.
    client.asks("MAIL FROM:<>", "250 ");
    client.asks("RCPT TO:<no-reply@xn--bcher-kva.de>", "250 ");
    client.asks("DATA", "354 ");
    let mail = hard_bounce("gone@somewhere.test");
    client.end_mail(&mail.replace("mydomain.de", "xn--bcher-kva.de"));
    client.expect("250 2.0.0 ");
    platform.wait_for_posts(1);
    daemon.stop();
}

#[test]
fn the_same_mail_sent_again_on_purpose_counts_again() {
    let service = Service::start();
    for times in 1..=3 {
        service.client().mail(&soft_bounce(FULL));
        assert_eq!(service.counter(FULL), times);
    }
    // In one connection, and pipelined with the next mail, too.
    let mut client = service.client();
    client.send_mail(&soft_bounce(FULL));
    client.expect("250 ");
    client.send(&format!(
        "MAIL FROM:<>\r\nRCPT TO:<no-reply@mydomain.de>\r\nDATA\r\n{}\r\n.\r\nQUIT\r\n",
        soft_bounce(FULL)
    ));
    for start in ["250 ", "250 ", "354 ", "250 ", "221 "] {
        client.expect(start);
    }
    assert_eq!(service.counter(FULL), 5);
}

#[test]
fn a_client_that_never_got_its_250_counts_once() {
    let service = Service::start();
    let mail = soft_bounce(FULL);
    for times in 1..=10 {
        // It hangs up at once, in the middle of the commit, or shortly after it.
        let mut hasty = service.client();
        hasty.send_mail(&mail);
        hasty.hang_up();
        // It comes again at once.
        service.client().mail(&mail);
        assert_eq!(service.counter(FULL), times, "the repeat was counted");
        // And again, on purpose: but that would be the next round's first.
    }
}

#[test]
fn equal_mails_sent_blindly_in_one_connection_all_count() {
    let service = Service::start();
    let mut client = service.client();
    let one = format!(
        "MAIL FROM:<>\r\nRCPT TO:<no-reply@mydomain.de>\r\nDATA\r\n{}\r\n.\r\n",
        soft_bounce(FULL)
    );
    client.asks("EHLO mx.test", "250 ");
    client.send(&one.repeat(3));
    client.half_close();
    for _ in 0..3 {
        for start in ["250 2.1.0 ", "250 2.1.5 ", "354 ", "250 2.0.0 Recorded"] {
            client.expect(start);
        }
    }
    assert_eq!(service.counter(FULL), 3);
}

/// What the client knows is on disk soon, also when no other mail comes.
#[test]
fn a_mail_on_purpose_after_a_kill_counts() {
    let service = Service::start();
    let mail = soft_bounce(FULL);
    service.client().mail(&mail);
    eventually("the ledger to forget the mail", || {
        (service.tickets() == 0).then_some(())
    });
    let service = service.kill_and_start();
    service.client().mail(&mail);
    assert_eq!(service.counter(FULL), 2);
}

#[test]
fn a_client_that_was_cut_off_by_our_death_counts_once() {
    let service = Service::start();
    let mail = soft_bounce(FULL);
    let mut client = service.client();
    client.send_mail(&mail);
    client.expect("250 ");
    // It got its 250, but could not show it.
    let service = service.kill_and_start();
    service.client().mail(&mail);
    assert_eq!(service.counter(FULL), 1);
    service.client().mail(&mail);
    assert_eq!(service.counter(FULL), 2);
}

/// One after the other: each is decided when its client goes on or leaves.
#[test]
fn equal_mails_of_several_connections_at_once_all_count() {
    let service = Service::start();
    let mail = soft_bounce(FULL);
    let mut clients: Vec<Client> = (0..20).map(|_| service.client()).collect();
    for client in &mut clients {
        client.send_mail(&mail);
    }
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                client.expect("250 ");
                client.asks("QUIT", "221 ");
                client.half_close();
            });
        }
    });
    assert_eq!(service.counter(FULL), 20);
}

#[test]
fn a_client_keeps_its_mail_while_the_database_is_gone() {
    let service = Service::start();
    let database = service.configuration.with_file_name("bounced_emails.db");
    let away = database.with_extension("away");
    std::fs::rename(&database, &away).expect("the folder is ours");
    let mut client = service.client();
    client.send_mail(&soft_bounce(FULL));
    // Told to stop meanwhile, the service gives the mail back.
    service.daemon.wait_for("tried again until it works");
    service.daemon.terminate();
    client.expect("451 4.3.0 ");
    std::fs::rename(&away, &database).expect("the folder is ours");
    assert_eq!(service.counter(FULL), 0);
    let (status, _) = service.daemon.wait();
    assert!(status.success());
}

#[test]
fn a_client_is_not_kept_waiting_while_the_disk_is_full() {
    let Some(disk) = SmallDisk::mount("size=2m") else {
        eprintln!("skipped: no right to mount a small file system");
        return;
    };
    let service = Service::in_folder(disk.path());
    service.client().mail(&soft_bounce(FULL));
    let filler = disk.fill();
    // The first one finds it out.
    let mut first = service.client();
    first.send_mail(&soft_bounce("first@somewhere.test"));
    service.daemon.wait_for("tried again until it works");
    let mut second = service.client();
    second.send_mail(&soft_bounce("second@somewhere.test"));
    second.expect("451 4.3.0 ");
    assert_eq!(
        service.daemon.count("is not recorded after"),
        0,
        "it was kept waiting"
    );
    std::fs::remove_file(filler).expect("it was filled");
    first.expect("250 2.0.0 ");
    service.daemon.wait_for("The database works again");
    second.asks("RSET", "250 ");
    second.send_mail(&soft_bounce("second@somewhere.test"));
    second.expect("250 2.0.0 ");
    for address in [FULL, "first@somewhere.test", "second@somewhere.test"] {
        assert_eq!(service.counter(address), 1, "{address}");
    }
}

#[test]
fn it_waits_for_the_database_and_then_says_250() {
    let service = Service::start();
    let database = service.configuration.with_file_name("bounced_emails.db");
    let away = database.with_extension("away");
    std::fs::rename(&database, &away).expect("the folder is ours");
    let mut client = service.client();
    client.send_mail(&soft_bounce(FULL));
    service.daemon.wait_for("tried again until it works");
    std::fs::rename(&away, &database).expect("the folder is ours");
    client.expect("250 2.0.0 ");
    assert_eq!(service.counter(FULL), 1);
}

#[test]
fn what_one_client_is_refused_fills_no_log() {
    let service = Service::start();
    let mut client = service.client();
    client.asks("EHLO mx.test", "250 ");
    for number in 0..10 {
        for _ in 0..19 {
            client.asks("NONSENSE", "500 ");
        }
        // A mail that is taken wipes the slate clean.
        client.send_mail(&soft_bounce(&format!("{number}@somewhere.test")));
        client.expect("250 2.0.0 ");
    }
    service.daemon.wait_for("is not in the log");
    assert_eq!(service.daemon.count("was told: 500 "), 100);
}

#[test]
fn it_stops_in_good_order() {
    let service = Service::start();
    let mut idle = service.client();
    let mut busy = service.client();
    busy.asks("EHLO mx.test", "250 ");
    busy.asks("MAIL FROM:<>", "250 ");
    service.daemon.terminate();
    idle.expect("421 4.3.2 ");
    busy.asks("RCPT TO:<no-reply@mydomain.de>", "250 ");
    busy.asks("DATA", "354 ");
    busy.send(&hard_bounce("gone@somewhere.test"));
    busy.asks("\r\n.", "250 2.0.0 ");
    busy.expect("421 4.3.2 ");
    let (status, lines) = service.daemon.wait();
    assert!(status.success(), "{}", lines.join("\n"));
}
