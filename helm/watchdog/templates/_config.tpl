{{- /* What is guarded, complete: namespaces filled in, and this release left out of patterns. {targets: […]} */}}
{{- define "watchdog.targets" -}}
{{- $every := .Values.everyRelease -}}
{{- $default := dict "name" "all" "environment" ($every.environment | default .Release.Namespace) "mode" $every.mode
      "helm" (dict "release" "*" "exclude" $every.exclude) "rules" $every.rules "vars" $every.vars
      "watch" $every.watch "rollback" $every.rollback -}}
{{- $targets := list -}}
{{- range .Values.config.targets | default (list $default) -}}
  {{- $target := deepCopy . -}}
  {{- if $target.helm -}}
    {{- $_ := set $target.helm "namespace" ($target.helm.namespace | default $.Release.Namespace) -}}
    {{- if eq $target.helm.release "*" -}}
      {{- $own := printf "%s/%s" $.Release.Namespace $.Release.Name -}}
      {{- $_ := set $target.helm "exclude" (append ($target.helm.exclude | default list) $own | uniq) -}}
    {{- end -}}
    {{- if and (eq $target.helm.namespace "*") (not $.Values.clusterWide) -}}
      {{- fail (printf "target %s guards every namespace: that needs a ClusterRole, so set clusterWide=true" $target.name) -}}
    {{- end -}}
  {{- end -}}
  {{- $targets = append $targets $target -}}
{{- end -}}
{{- dict "targets" $targets | toYaml -}}
{{- end }}

{{- /* watchdog.yaml */}}
{{- define "watchdog.config" -}}
{{- $store := "sqlite:////var/lib/watchdog/state.db" -}}
{{- if .Values.state.postgresql.existingSecret }}{{ $store = dict "env" "WATCHDOG_STORE" }}{{ end -}}
{{- $http := dict "listen" (printf "0.0.0.0:%d" (int .Values.http.port)) -}}
{{- if .Values.http.token.existingSecret }}{{ $_ := set $http "token" (dict "env" "WATCHDOG_TOKEN") }}{{ end -}}
{{- $targets := (include "watchdog.targets" . | fromYaml).targets -}}
{{- toYaml (merge (dict "store" $store "http" $http "targets" $targets) (omit .Values.config "targets")) -}}
{{- end }}

{{- /* The namespaces whose releases are guarded, each with where Helm keeps them: {NAMESPACE: {secrets: true}} */}}
{{- define "watchdog.namespaces" -}}
{{- $found := dict -}}
{{- range (include "watchdog.targets" . | fromYaml).targets -}}
  {{- if .helm -}}
    {{- $kinds := get $found .helm.namespace | default dict -}}
    {{- $_ := set $kinds (printf "%ss" (.helm.storage | default "secret")) true -}}
    {{- $_ := set $found .helm.namespace $kinds -}}
  {{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end }}

{{- /* "yes" when a target may suspend Argo CD or Flux. */}}
{{- define "watchdog.suspends" -}}
{{- range (include "watchdog.targets" . | fromYaml).targets -}}
  {{- if eq (dig "rollback" "gitops" "alert" .) "suspend" }}yes{{ end -}}
{{- end -}}
{{- end }}
