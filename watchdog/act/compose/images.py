"""Keeps images from being pruned: a container of each, created and never started, without network or Compose labels.

`docker image prune -af` removes what no container uses, tagged or not. `docker container prune` and `system prune`
remove these containers too: they are made again the next time, as long as the image is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from docker import APIClient
from docker.errors import ImageNotFound, NotFound

from watchdog.compose.engine import LABEL, translated
from watchdog.errors import Refused
from watchdog.model.deploy import Revision

KEEP = "deploy-watchdog.keep"
"""The label; its value is the target's name."""


def preserve(client: APIClient, target: str, keep: Sequence[Revision]) -> None:
    """See to it that the images of these revisions are kept, and those of no other.

    Raises Refused, after keeping all others, when an image is gone; Unavailable.
    """
    wanted = {image: revision.id for revision in reversed(keep) for image in revision.images.values() if image}
    gone: list[str] = []
    with translated(f"keeping the images of {target}"):
        kept = {c["ImageID"]: c["Id"] for c in client.containers(all=True, filters={"label": f"{KEEP}={target}"})}
        for image, revision in wanted.items():
            if image not in kept and not _keep(client, target, image):
                gone.append(f"{image[:19]} of {revision}")
        for image, container in kept.items():
            if image not in wanted:
                _let_go(client, container)
    if gone:
        raise Refused(f"images are gone, their revisions of {target} cannot be brought back: {', '.join(gone)}")


def _keep(client: APIClient, target: str, image: str) -> bool:
    """Create the container; False when the image is gone."""
    try:
        inspected = client.inspect_image(image)  # type: ignore[no-untyped-call]
        inherited = (inspected.get("Config") or {}).get("Labels") or {}
        # An image built by Compose has its labels, and a container inherits them: blank, no `docker compose` sees it.
        blank = {name: "" for name in inherited if name.startswith(LABEL)}
        client.create_container(
            image,
            command=["deploy-watchdog-keeps-this-image"],
            entrypoint="",
            labels={**blank, KEEP: target},
            host_config=client.create_host_config(network_mode="none"),
        )
    except (ImageNotFound, NotFound):
        return False
    return True


def _let_go(client: APIClient, container: str) -> None:
    try:
        client.remove_container(container, v=True)
    except NotFound:
        return
