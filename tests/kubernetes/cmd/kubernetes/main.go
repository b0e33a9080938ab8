// Command kubernetes is every part of a cluster in one executable: etcd, the control plane, the node's agents and kubectl.
//
// Owns the choice of the part, by the name it was called by. Linked together they share most of their code, which makes one
// build of 145 MB out of seven of 60 to 130 MB each.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// Each part is made when it is asked for: making one registers flags that the others would trip over.
var parts = map[string]func() int{
	"etcd":                    etcd,
	"kube-apiserver":          part(apiserver.NewAPIServerCommand),
	"kube-controller-manager": part(manager.NewControllerManagerCommand),
	"kube-scheduler":          part(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubelet":                 part(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
	"kube-proxy":              part(proxy.NewProxyCommand),
	"kubectl":                 kubectl,
}

func main() {
	start, known := parts[filepath.Base(os.Args[0])]
	if !known {
		fmt.Fprintln(os.Stderr, "call it by the name of a part: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubectl")
		os.Exit(2)
	}
	os.Exit(start())
}

func part(command func() *cobra.Command) func() int {
	return func() int { return cli.Run(command()) }
}

func etcd() int {
	etcdmain.Main(os.Args)
	return 0
}

func kubectl() int {
	logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	return 0
}
