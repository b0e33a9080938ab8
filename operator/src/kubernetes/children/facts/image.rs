//! Why an image cannot be pulled. The kubelet's own message changes with every attempt (ports, times, one error in place of
//! another), so it is read for what it means and said in words that stay.

/// What is wrong and the next step for each kind of failure, by what the runtimes write.
const MEANINGS: [(&[&str], &str); 6] = [
    (
        &["401", "403", "unauthorized", "denied", "authorization"],
        "its registry wants a login, or has no such image: name a Secret in spec.template.imagePullSecrets, or another image in \
         spec.template.image",
    ),
    (
        &["not found", "404", "manifest unknown"],
        "its registry has no such image: name another in spec.template.image, or push this one",
    ),
    (
        &["no such host", "server misbehaving"],
        "the name of its registry does not resolve: correct it in spec.template.image",
    ),
    (
        &["x509", "tls:"],
        "the certificate of its registry is not trusted by the node: let the node trust it, or name another registry in \
         spec.template.image",
    ),
    (
        &["refused", "timeout", "deadline", "unreachable", "EOF"],
        "its registry does not answer the node: it is tried again; another one can be named in spec.template.image",
    ),
    (
        &["no match for platform", "exec format"],
        "it is not made for the processor of the node: name one that is in spec.template.image, or other nodes in \
         spec.template.nodeSelector",
    ),
];

/// What to say when the container of `pod` (with its namespace) waits for `reason`; `None` when that is no failed pull.
pub(super) fn pull_problem(
    image: &str,
    reason: &str,
    message: &str,
    (pod, namespace): (&str, &str),
) -> Option<String> {
    let step = match reason {
        "ErrImageNeverPull" => {
            "the node does not have it and spec.template.imagePullPolicy is Never: load it into the node, or take another policy"
        }
        "InvalidImageName" => "that is no name of an image: correct it in spec.template.image",
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ImageInspectError" => meaning(message),
        _ => return None,
    };
    Some(format!(
        "the image {image} cannot be pulled: {step}; its own words: `kubectl describe pod {pod} -n {namespace}`"
    ))
}

fn meaning(message: &str) -> &'static str {
    let found = MEANINGS.iter().find(|(words, _)| words.iter().any(|word| message.contains(word)));
    found.map_or(
        "check spec.template.image and spec.template.imagePullSecrets; it is tried again",
        |(_, step)| step,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: (&str, &str) = ("mail-0", "post");

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
            ("ErrImagePull", "something new", "spec.template.imagePullSecrets"),
            ("ErrImageNeverPull", "Container image \"x\" is not present", "load it into the node"),
            ("InvalidImageName", "couldn't parse image name", "no name of an image"),
        ] {
            let said = pull_problem("x", reason, message, POD).unwrap();
            assert!(said.starts_with("the image x cannot be pulled: ") && said.contains(step), "{said}");
            assert!(said.contains("spec.template.image"), "no field: {said}");
            assert!(said.ends_with("`kubectl describe pod mail-0 -n post`"), "{said}");
        }
        assert_eq!(pull_problem("x", "ContainerCreating", "", POD), None);
        assert_eq!(pull_problem("x", "CrashLoopBackOff", "not found", POD), None);
    }
}
