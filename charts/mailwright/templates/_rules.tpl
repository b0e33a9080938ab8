{{/*
What the operator may do in a namespace that it watches: a ClusterRole's rules in cluster mode, those of a Role otherwise.
Each rule is needed, and no request is refused: a test runs the operator under them and reads the API server's audit log.
*/}}
{{- define "mailwright.rules" -}}
# What people declare. The operator changes neither spec nor anything else of it, only the finalizer of a MailDomain.
- apiGroups: [mailwright.dev]
  resources: [mailservers, maildomains, mailboxes, aliases]
  verbs: [get, list, watch]
- apiGroups: [mailwright.dev]
  resources: [maildomains]
  verbs: [patch]
- apiGroups: [mailwright.dev]
  resources: [mailservers/status, maildomains/status, mailboxes/status, aliases/status]
  verbs: [patch]
# Followed repositories. What they declare is written in the name of a ServiceAccount, whose own rights count.
- apiGroups: [mailwright.dev]
  resources: [mailrepositories]
  verbs: [list, watch]
- apiGroups: [mailwright.dev]
  resources: [mailrepositories/status]
  verbs: [patch]
{{- with .Values.repositories.serviceAccounts }}
- apiGroups: [""]
  resources: [serviceaccounts]
  resourceNames: {{ toJson . }}
  verbs: [impersonate]
{{- end }}
# Passwords that Mailboxes name, certificates, DKIM keys. Watched by metadata; a value is fetched when it is named. What is
# deleted is the remembered login of a smarthost that is no longer declared.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
# What a MailServer becomes.
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Why a pod is not running, for the MailServer's status.
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.certManager.enabled }}
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- if .Values.externalDNS.enabled }}
- apiGroups: [externaldns.k8s.io]
  resources: [dnsendpoints]
  verbs: [get, list, watch, create, patch]
{{- end }}
{{- end }}

{{- define "mailwright.rules.definitions" -}}
# Whether the definitions are as new as this operator, and stay: while one is deleted, no object of its kind counts as removed.
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs: [get]
  resourceNames:
    - mailservers.mailwright.dev
    - maildomains.mailwright.dev
    - mailboxes.mailwright.dev
    - aliases.mailwright.dev
    - mailrepositories.mailwright.dev
{{- end }}

{{- define "mailwright.rules.reviews" -}}
# Whether a ServiceAccount may do what a repository with sink: Database declares. No object is written there whose rights the API
# server would judge by itself.
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end }}
