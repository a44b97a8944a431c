package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
)

// checkListen takes an address for a moment, so that one that can not be had is
// refused before folders are made for a server that would not run. Why it is
// refused is told in both languages, with what to write instead.
func checkListen(ctx context.Context, address string) error {
	if _, _, err := hostPort(address); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		return l.Close()
	}
	return unheard(address, err)
}

// hostPort are the parts of an address as --listen has it.
func hostPort(address string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(address)
	if err != nil || port == "" {
		return "", "", problem{
			"--listen " + strconv.Quote(address) + "：须为 HOST:PORT，例如 127.0.0.1:8080（仅本机）、0.0.0.0:8080（所有 IPv4 地址）、[::1]:8080",
			"--listen " + strconv.Quote(address) + ": write HOST:PORT, for example 127.0.0.1:8080 (this machine only), 0.0.0.0:8080 (all its IPv4 addresses), [::1]:8080"}
	}
	return host, port, nil
}

// unheard is why an address can not be listened on.
func unheard(address string, err error) error {
	zh, en := "无法监听 "+address+"：", "cannot listen on "+address+": "
	var name *net.DNSError
	var form *net.AddrError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return problem{zh + "地址已被占用，请停止占用它的程序，或改用其他端口", en + "the address is in use; stop what uses it, or write another port"}
	case errors.Is(err, syscall.EACCES):
		return problem{zh + "没有权限，1024 以下的端口需要特权，请改用其他端口", en + "permission denied; ports below 1024 need privileges, write another one"}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return problem{zh + "本机没有此地址，请写本机的地址，或 0.0.0.0 表示所有地址", en + "this machine has no such address; write one of its own, or 0.0.0.0 for all"}
	case errors.As(err, &name) && name.Err == "unknown port", errors.As(err, &form) && form.Err == "invalid port":
		return problem{zh + "端口须为 1 到 65535 的数字（0 表示任意空闲端口）", en + "a port is a number from 1 to 65535 (0 = any that is free)"}
	case name != nil:
		return problem{zh + "找不到主机 " + name.Name + "，请写本机的地址，例如 127.0.0.1", en + "there is no host " + name.Name + "; write an address of this machine, for example 127.0.0.1"}
	}
	return problem{zh + err.Error(), en + err.Error()}
}
