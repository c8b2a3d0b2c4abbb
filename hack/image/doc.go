// Command image packs static Go programs as container images, with no container
// engine and no network: an OCI archive that containerd, Docker and Podman load, and
// that skopeo and crane push.
//
// Its user, entrypoint, arguments, ports and labels are read from a stage of the
// Dockerfile, the last one by default, and its files are the ones that the Dockerfile
// copies, so both make the same image. Without a Dockerfile the image runs the program as 65532, which is what
// tests need for programs of their own.
//
// The same input makes the same bytes, wherever and whenever. Several binaries, one a
// platform, make one image for all of them.
package main
