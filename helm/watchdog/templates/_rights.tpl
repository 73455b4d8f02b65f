{{- /* The rules for one namespace, or for the cluster. Takes root, storages (secrets, configmaps). Each right and what
       stops without it: docs/kubernetes.md. */}}
{{- define "watchdog.rules" -}}
{{- $values := .root.Values -}}
# What was deployed, and what became of it.
- {apiGroups: [""], resources: {{ toJson .storages }}, verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods], verbs: [list, watch]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
- {apiGroups: [""], resources: [events], verbs: [list]}
- {apiGroups: [apps], resources: [deployments, statefulsets, daemonsets], verbs: [get]}
- {apiGroups: [apps], resources: [replicasets], verbs: [list]}
- {apiGroups: [batch], resources: [jobs], verbs: [get, list]}
- {apiGroups: [batch], resources: [cronjobs], verbs: [get]}
{{- if $values.rbac.rollback }}
# helm rollback: its own record, then what the releases hold.
- {apiGroups: [""], resources: {{ toJson .storages }}, verbs: [create, update, patch]}
{{- range $values.rbac.rollbackResources }}
- {apiGroups: [{{ .apiGroup | quote }}], resources: {{ toJson .resources }}, verbs: [get, list, watch, create, patch, delete]}
{{- end }}
{{- if $values.rbac.manageRoles }}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [get, list, watch, create, patch, delete]}
{{- end }}
{{- end }}
{{ include "watchdog.gitops" (dict "root" .root "list" .cluster) }}
{{- end }}

{{- /* Who would undo a rollback; suspended only where a target says so. */}}
{{- define "watchdog.gitops" -}}
{{- $verbs := ternary (list "get" "list") (list "get") (default false .list) -}}
{{- if and .root.Values.rbac.rollback (include "watchdog.suspends" .root) }}{{ $verbs = append $verbs "patch" }}{{ end -}}
# Argo CD and Flux, which would undo a rollback.
- {apiGroups: [argoproj.io], resources: [applications], verbs: {{ toJson $verbs }}}
- {apiGroups: [helm.toolkit.fluxcd.io], resources: [helmreleases], verbs: {{ toJson (without $verbs "list") }}}
- {apiGroups: [kustomize.toolkit.fluxcd.io], resources: [kustomizations], verbs: {{ toJson (without $verbs "list") }}}
{{- end }}
