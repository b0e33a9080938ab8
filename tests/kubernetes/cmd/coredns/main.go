// Command coredns is CoreDNS with the plugins that the tests use and no others.
//
// Owns the list of plugins and their order. Left out are the clouds' plugins, which are most of its usual size.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/rewrite"
	_ "github.com/coredns/coredns/plugin/template"
)

func init() {
	// The order in which a query passes them.
	dnsserver.Directives = []string{
		"reload", "health", "ready", "errors", "log", "cache", "rewrite", "template", "hosts", "kubernetes", "file", "forward",
	}
}

func main() { coremain.Run() }
