"""The test service: its image, made of busybox, its health page and metrics, and the Compose file of its project."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "sleep", "httpd", "wget", "cat", "echo", "awk", "date", "dd", "kill", "mkdir", "ls", "head", "test")

SERVE = """#!/bin/sh
# PID 1 of the test service: answers on 127.0.0.1:$PORT, ends at once on TERM, misbehaves as $FAULT says.
trap 'exit 0' TERM INT
read -r up _ < /proc/uptime; echo "$up" > /started
echo "starting version ${VERSION:-?} on port ${PORT:-none}"
case "$FAULT" in
  crash)  sleep 0.2; echo "fatal: cannot reach database with password ${DB_PASSWORD:-none}" >&2; exit 3 ;;
  exit)   sleep 0.2; echo "nothing to do"; exit 0 ;;
  cpu)    while :; do :; done & ;;
  memory) m=x; while [ ${#m} -lt 268435456 ]; do m="$m$m"; done; echo "holding ${#m}" ;;
esac
if [ -n "$PORT" ]; then httpd -f -p "127.0.0.1:$PORT" -h /www & fi
while :; do sleep 3600 & wait $!; done
"""

HEALTHZ = """#!/bin/sh
case "$FAULT" in
  health) echo "Status: 503 Service Unavailable" ;;
  errors) echo "Status: 500 Internal Server Error" ;;
  latency) sleep 2 ;;
esac
echo "Content-Type: text/plain"; echo
echo "${VERSION:-?} ${FEATURE_X:-}"
"""

# Counters that grow with the time since the start, as a client library would export them under 20 requests a second.
METRICS = """#!/bin/sh
echo "Content-Type: text/plain; version=0.0.4"; echo
read -r now _ < /proc/uptime; read -r began < /started
awk -v now="$now" -v began="$began" -v fault="$FAULT" 'BEGIN {
  t = now - began; n = 20 * t; bad = fault == "errors" ? 0.5 * n : 0; fast = fault == "latency" ? 0 : n
  print "# TYPE http_requests_total counter"
  printf "http_requests_total{code=\\"200\\"} %.3f\\n", n - bad
  printf "http_requests_total{code=\\"500\\"} %.3f\\n", bad
  print "# TYPE http_request_duration_seconds histogram"
  printf "http_request_duration_seconds_bucket{le=\\"0.1\\"} %.3f\\n", fast
  printf "http_request_duration_seconds_bucket{le=\\"0.5\\"} %.3f\\n", fast
  printf "http_request_duration_seconds_bucket{le=\\"1\\"} %.3f\\n", fast
  printf "http_request_duration_seconds_bucket{le=\\"2.5\\"} %.3f\\n", n
  printf "http_request_duration_seconds_bucket{le=\\"+Inf\\"} %.3f\\n", n
  printf "http_request_duration_seconds_sum %.3f\\n", fault == "latency" ? 2 * n : 0.05 * n
  printf "http_request_duration_seconds_count %.3f\\n", n
  print "# TYPE process_cpu_seconds_total counter"
  printf "process_cpu_seconds_total %.3f\\n", fault == "cpu" ? 0.99 * t : 0.02 * t
  print "# TYPE process_resident_memory_bytes gauge"
  printf "process_resident_memory_bytes %.0f\\n", fault == "memory" ? 20000000 + 20000000 * t : 20000000
  print "# TYPE process_start_time_seconds gauge"
  printf "process_start_time_seconds %.3f\\n", systime() - t
}'
"""

COMPOSE_FILE = """\
services:
  api:
    image: ${API_IMAGE:-PROJECT-api:1}
    restart: always
    network_mode: host
    stop_grace_period: 3s
    environment:
      PORT: "API_PORT"
      FEATURE_X: ${FEATURE_X:-off}
      DB_PASSWORD: hunter2-of-the-tests
    healthcheck:
      test: ["CMD", "/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:API_PORT/cgi-bin/healthz"]
      interval: 1s
      timeout: 20s
      retries: 2
    volumes: ["./api.conf:/etc/api.conf:ro", "state:/state"]
    depends_on:
      migrate: {condition: service_completed_successfully}
  web:
    image: ${WEB_IMAGE:-PROJECT-web:1}
    restart: always
    network_mode: host
    stop_grace_period: 3s
    environment:
      PORT: "WEB_PORT"
      COLOUR: ${COLOUR:-blue}
  migrate:
    image: ${API_IMAGE:-PROJECT-api:1}
    network_mode: none
    command: ["/bin/sh", "-c", "echo migrating; exit ${MIGRATE_EXIT:-0}"]
volumes:
  state: {}
"""


def root_archive() -> bytes:
    """The whole root folder of the image, as a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        _add(archive, "bin/busybox", BUSYBOX.resolve().read_bytes())
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        for name, text in (("serve", SERVE), ("www/cgi-bin/healthz", HEALTHZ), ("www/cgi-bin/metrics", METRICS)):
            _add(archive, name, text.encode())
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    archive.addfile(entry, io.BytesIO(content))
