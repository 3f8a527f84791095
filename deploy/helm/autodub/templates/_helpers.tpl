{{- define "autodub.labels" -}}
app.kubernetes.io/name: autodub
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "autodub.selector" -}}
app.kubernetes.io/name: autodub
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "autodub.image" -}}
"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
{{- end }}

{{- define "autodub.account" -}}
{{ if .Values.serviceAccount.create }}{{ .Release.Name }}-autodub{{ else }}default{{ end }}
{{- end }}

{{- define "autodub.claim" -}}
{{ .Values.store.claim.name | default (printf "%s-autodub" .Release.Name) }}
{{- end }}

{{- /* What pods of ours have in common: a list of (root, grace seconds). */}}
{{- define "autodub.pod" -}}
{{- $ := index . 0 }}
serviceAccountName: {{ include "autodub.account" $ }}
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ index . 1 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with $.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: data
    emptyDir: {sizeLimit: {{ $.Values.scratch.size }}}
  - name: tmp
    emptyDir: {}
  {{- if not $.Values.store.s3 }}
  - name: blobs
    persistentVolumeClaim: {claimName: {{ include "autodub.claim" $ }}}
  {{- end }}
{{- end }}

{{- /* What containers of ours have in common. */}}
{{- define "autodub.container" -}}
image: {{ include "autodub.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
envFrom:
  - configMapRef: {name: {{ .Release.Name }}-autodub}
  - secretRef: {name: {{ .Values.secretName }}}
volumeMounts:
  - {name: data, mountPath: /var/lib/autodub/data}
  - {name: tmp, mountPath: /tmp}
  {{- if not .Values.store.s3 }}
  - {name: blobs, mountPath: /blobs}
  {{- end }}
{{- end }}

{{- /* Variables that are no secrets. */}}
{{- define "autodub.settings" -}}
AUTODUB_DATA_DIR: /var/lib/autodub/data
AUTODUB_LOG: json
AUTODUB_ACCOUNTS: "1"
AUTODUB_BLOBS: {{ .Values.store.s3 | default "/blobs" | quote }}
AUTODUB_CACHE: {{ .Values.scratch.cacheBytes | quote }}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{- /* Those of ingress-nginx: large uploads that go through as they come, streams that stay open for hours, and an
upload in pieces that goes to one pod. The values may say otherwise. */}}
{{- define "autodub.ingress" -}}
nginx.ingress.kubernetes.io/proxy-body-size: 500m
nginx.ingress.kubernetes.io/proxy-request-buffering: "off"
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-send-timeout: "3600"
nginx.ingress.kubernetes.io/upstream-hash-by: $remote_addr$http_authorization
{{- end }}
