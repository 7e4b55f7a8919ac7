//! A real Exim, configured as `resources/exim` says: its own bounces come in by SMTP and by LMTP.

use super::service::Service;
use crate::support::{Exim, RefusingServer, free_port};

#[test]
fn a_bounce_handed_over_by_smtp_ends_as_a_post() {
    handed_over(&Service::start(), |fragment| fragment);
}

#[test]
fn a_bounce_handed_over_by_lmtp_ends_as_a_post() {
    let service = Service::with(&["protocol: lmtp"]);
    handed_over(&service, |fragment| {
        fragment.replace("# protocol = lmtp", "protocol = lmtp")
    });
}

fn handed_over(service: &Service, edit: impl FnOnce(String) -> String) {
    let refusing = RefusingServer::start("550 5.1.1 No such user");
    let exim = Exim::new(service.port, refusing.port(), edit);
    exim.send("no-reply@mydomain.de", "evil-address@some-provider.com");
    assert_eq!(
        service.platform.wait_for_posts(1),
        ["/emails/evil-address%40some-provider.com/suspend"]
    );
    exim.wait_for_log("C=\"250 2.0.0 Recorded\"");
}

#[test]
fn exim_keeps_the_mail_while_the_service_is_stopped() {
    let service = Service::with(&[&format!("listen: 127.0.0.1:{}", free_port())]);
    let refusing = RefusingServer::start("550 5.1.1 No such user");
    let exim = Exim::new(service.port, refusing.port(), |fragment| fragment);
    let service = service.stop_and_start(|| {
        exim.send("no-reply@mydomain.de", "evil-address@some-provider.com");
        exim.wait_for_log("== no-reply@mydomain.de R=bouncedemails T=bouncedemails defer");
    });
    assert!(service.platform.posts().is_empty());
    exim.flush();
    assert_eq!(
        service.platform.wait_for_posts(1),
        ["/emails/evil-address%40some-provider.com/suspend"]
    );
}
