#!/bin/sh
# Build the images from dist/ and its wheelhouse, and put the bill of materials of each beside it, into dist/images/.
#   scripts/images.sh [IMAGE…]          all five unless some are named
# ENGINE      docker, podman or buildah
# BASE        image with Python, for which the wheels are
# TAG         of the images; the version unless given
# CREATED     seconds since 1970; the time of the commit unless given
# OPTIONS     further ones for `build`, such as --no-cache
set -eu
cd "$(dirname "$0")/.."
engine=${ENGINE:-docker}
base=${BASE:-python:3.13-slim}
version=$(cat VERSION)
tag=${TAG:-$version}
moment=${CREATED:-$(git log -1 --format=%ct)}
if ! command -v "$engine" >/dev/null 2>&1; then
    echo "$engine was not found. Install it, or name another one: make images ENGINE=docker|podman|buildah" >&2
    exit 1
fi
case $engine in
docker) reproducible= ;;
# Times of layers and of the image are the release's, and docker's form holds the health check.
*) reproducible="--format docker --layers --identity-label=false --timestamp $moment" ;;
esac

build() {
    # shellcheck disable=SC2086
    "$engine" build --quiet $reproducible ${OPTIONS:-} --file deploy/images/Dockerfile \
        --build-arg "BASE=$base" --build-arg "VERSION=$version" --build-arg "SOURCE_DATE_EPOCH=$moment" \
        --build-arg "REVISION=$(git rev-parse HEAD)" --build-arg "CREATED=$created" "$@" .
}

created=$(python3 -c "import datetime; print(datetime.datetime.fromtimestamp($moment, datetime.timezone.utc).isoformat())")
if [ $# = 0 ]; then
    set -- powerauth-core powerauth-enrollment powerauth-cloud powerauth-push powerauth-tools
fi
for image in "$@"; do
    echo "building $image:$tag …"
    build --target "$image" --tag "$image:$tag"
    mkdir -p "dist/images/$image"
    build --target "$image-bill" --output "type=local,dest=dist/images/$image"
done
