//! Why an image cannot be pulled. The kubelet's own message changes with every attempt (ports, times, one error in place of
//! another), so it is read for what it means and said in words that stay.

/// The next step for each kind of failure, by what the runtimes write.
const MEANINGS: [(&[&str], &str); 6] = [
    (
        &["401", "403", "unauthorized", "denied", "authorization"],
        "its registry wants a login, or has no such image: name a Secret in spec.template.imagePullSecrets, or another image",
    ),
    (&["not found", "404", "manifest unknown"], "its registry has no such image: check spec.template.image"),
    (
        &["no such host", "server misbehaving"],
        "the name of its registry does not resolve: check spec.template.image",
    ),
    (&["x509", "tls:"], "the certificate of its registry is not trusted by the node"),
    (
        &["refused", "timeout", "deadline", "unreachable", "EOF"],
        "its registry does not answer; it is tried again",
    ),
    (&["no match for platform", "exec format"], "it is not made for the processor of the node"),
];

/// What to say when a container waits for `reason`; `None` when that is no failed pull.
pub(super) fn pull_problem(image: &str, reason: &str, message: &str) -> Option<String> {
    let step = match reason {
        "ErrImageNeverPull" => {
            "the node does not have it and imagePullPolicy is Never: load it into the node"
        }
        "InvalidImageName" => "that is no name of an image: check spec.template.image",
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ImageInspectError" => meaning(message),
        _ => return None,
    };
    Some(format!("the image {image} cannot be pulled: {step}"))
}

fn meaning(message: &str) -> &'static str {
    let found = MEANINGS.iter().find(|(words, _)| words.iter().any(|word| message.contains(word)));
    found.map_or("`kubectl describe pod` says why; it is tried again", |(_, step)| step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_runtime_says_is_said_in_words_that_stay() {
        let denied = "failed to pull and unpack image: failed to resolve reference: pull access denied, repository does not \
                      exist or may require authorization: server message: insufficient_scope: authorization failed";
        for (reason, message, step) in [
            (
                "ErrImagePull",
                "rpc error: code = NotFound desc = failed to resolve reference: x: not found",
                "no such image",
            ),
            (
                "ImagePullBackOff",
                "Back-off pulling image \"x\": ErrImagePull: rpc error: x: not found",
                "no such image",
            ),
            ("ErrImagePull", denied, "imagePullSecrets"),
            (
                "ErrImagePull",
                "dial tcp: lookup registry.example.test on 10.96.0.10:53: no such host",
                "does not resolve",
            ),
            ("ErrImagePull", "dial tcp 192.0.2.1:443: connect: connection refused", "does not answer"),
            ("ErrImagePull", "tls: failed to verify certificate: x509: unknown authority", "not trusted"),
            ("ErrImagePull", "no match for platform in manifest", "processor"),
            ("ErrImagePull", "something new", "kubectl describe pod"),
            ("ErrImageNeverPull", "Container image \"x\" is not present", "load it into the node"),
            ("InvalidImageName", "couldn't parse image name", "no name of an image"),
        ] {
            let said = pull_problem("x", reason, message).unwrap();
            assert!(said.starts_with("the image x cannot be pulled: ") && said.contains(step), "{said}");
        }
        assert_eq!(pull_problem("x", "ContainerCreating", ""), None);
        assert_eq!(pull_problem("x", "CrashLoopBackOff", "not found"), None);
    }
}
