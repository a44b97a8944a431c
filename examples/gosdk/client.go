package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/impl"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
)

// signingClient is the SDK as everybody uses it: AK/SK, and our endpoint.
func signingClient(endpoint, ak, sk string) (*osm.OsmClient, error) {
	credentials, err := global.NewCredentialsBuilder().WithAk(ak).WithSk(sk).SafeBuild()
	if err != nil {
		return nil, err
	}
	client, err := osm.OsmClientBuilder().WithEndpoint(endpoint).WithCredential(credentials).SafeBuild()
	if err != nil {
		return nil, err
	}
	return osm.NewOsmClient(client), nil
}

// tokenCredentials send an IAM token instead of a signature, through the SDK's
// own extension point.
type tokenCredentials struct{ token string }

func (t tokenCredentials) ProcessAuthParams(*impl.DefaultHttpClient, string) (auth.ICredential, error) {
	return t, nil
}

func (t tokenCredentials) ProcessAuthRequest(_ *impl.DefaultHttpClient, r *request.DefaultHttpRequest) (*request.DefaultHttpRequest, error) {
	return r.Builder().AddHeaderParam("X-Auth-Token", t.token).Build(), nil
}

// tokenClient logs in at POST /v3/auth/tokens and uses the token.
func tokenClient(endpoint, domain, user, password string) (*osm.OsmClient, error) {
	body, err := json.Marshal(map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"name": user, "password": password, "domain": map[string]any{"name": domain}}}},
		"scope": map[string]any{"domain": map[string]any{"name": domain}},
	}})
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 20 * time.Second}
	res, err := client.Post(endpoint+"/v3/auth/tokens", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	token := res.Header.Get("X-Subject-Token")
	if res.StatusCode != http.StatusCreated || token == "" {
		return nil, fmt.Errorf("log-in answered %s: %s", res.Status, text)
	}
	hc, err := osm.OsmClientBuilder().WithCredentialsType("main.tokenCredentials").
		WithEndpoint(endpoint).WithCredential(tokenCredentials{token}).SafeBuild()
	if err != nil {
		return nil, err
	}
	return osm.NewOsmClient(hc), nil
}
