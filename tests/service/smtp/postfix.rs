//! A real Postfix: its own bounces come in by SMTP and by LMTP.

use super::service::Service;
use crate::support::{Postfix, RefusingServer, free_port};

/// Our own mail is refused at its destination; Postfix' bounce to no-reply goes to `service`.
fn postfix(service: &Service, protocol: &str, refusing: &RefusingServer) -> Postfix {
    Postfix::start(&[
        ("mydestination", ""),
        (
            "transport_maps",
            &format!(
                "inline:{{ some-provider.com={}, mydomain.de={protocol}:[127.0.0.1]:{} }}",
                refusing.next_hop(),
                service.port
            ),
        ),
    ])
}

#[test]
fn a_bounce_relayed_by_smtp_ends_as_a_post() {
    relayed(&Service::start(), "smtp");
}

#[test]
fn a_bounce_relayed_by_lmtp_ends_as_a_post() {
    relayed(&Service::with(&["protocol: lmtp"]), "lmtp");
}

fn relayed(service: &Service, protocol: &str) {
    let refusing = RefusingServer::start("550 5.1.1 No such user");
    let postfix = postfix(service, protocol, &refusing);
    postfix.send("no-reply@mydomain.de", "evil-address@some-provider.com");
    assert_eq!(
        service.platform.wait_for_posts(1),
        ["/emails/evil-address%40some-provider.com/suspend"]
    );
    postfix.wait_for_log("status=sent (250 2.0.0 Recorded)");
}

#[test]
fn postfix_keeps_the_mail_while_the_service_is_stopped() {
    let service = Service::with(&[&format!("listen: 127.0.0.1:{}", free_port())]);
    let refusing = RefusingServer::start("550 5.1.1 No such user");
    let postfix = postfix(&service, "smtp", &refusing);
    let service = service.stop_and_start(|| {
        postfix.send("no-reply@mydomain.de", "evil-address@some-provider.com");
        let kept = postfix.wait_for_log("to=<no-reply@mydomain.de>");
        assert!(kept.contains("status=deferred"), "{kept}");
    });
    assert!(service.platform.posts().is_empty());
    postfix.flush();
    assert_eq!(
        service.platform.wait_for_posts(1),
        ["/emails/evil-address%40some-provider.com/suspend"]
    );
}
