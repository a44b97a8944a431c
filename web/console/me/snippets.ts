// How to call the customer API from code, with this installation's address and
// the caller's account filled in. The tests run the signed one as it stands.
export interface Snippet {
  name: string
  text: string
}

export function snippets(origin: string, account: { domain: string; domainId: string; user: string }, pair: { ak: string; sk: string }): Snippet[] {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
  const login = JSON.stringify({
    auth: { identity: { methods: ['password'], password: { user: { name: account.user, password: 'PASSWORD', domain: { name: account.domain } } } }, scope: { domain: { name: account.domain } } },
  })
  return [
    {
      name: 'curl',
      text: `# AK/SK: SDK-HMAC-SHA256
AK=${quoted(pair.ak)} SK=${quoted(pair.sk)}
BASE=${quoted(origin)} HOST=${quoted(new URL(origin).host)}
URI=/v2/servicerequest/cases QUERY='limit=10&offset=0'
DATE=$(date -u +%Y%m%dT%H%M%SZ)
sha() { openssl dgst -sha256 "$@" | sed 's/.* //'; }
REQUEST="GET
$URI/
$QUERY
host:$HOST
x-sdk-date:$DATE

host;x-sdk-date
$(printf '' | sha)"
SIGN="SDK-HMAC-SHA256
$DATE
$(printf %s "$REQUEST" | sha)"
SIGNATURE=$(printf %s "$SIGN" | sha -hmac "$SK")
curl -s "$BASE$URI?$QUERY" -H "X-Sdk-Date: $DATE" \\
  -H "Authorization: SDK-HMAC-SHA256 Access=$AK, SignedHeaders=host;x-sdk-date, Signature=$SIGNATURE"`,
    },
    {
      name: 'Go',
      text: `package main

import (
	"fmt"
	"log"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"
)

func main() {
	credentials, err := global.NewCredentialsBuilder().
		WithAk(${JSON.stringify(pair.ak)}).WithSk(${JSON.stringify(pair.sk)}).
		WithDomainId(${JSON.stringify(account.domainId)}).SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(${JSON.stringify(origin)}).
		WithCredential(credentials).SafeBuild()
	if err != nil {
		log.Fatal(err)
	}
	tickets, err := osm.NewOsmClient(hc).ListCases(&model.ListCasesRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(*tickets.TotalCount)
}`,
    },
    {
      name: 'Python',
      text: `# pip install huaweicloudsdkosm
from huaweicloudsdkcore.auth.credentials import GlobalCredentials
from huaweicloudsdkosm.v2 import ListCasesRequest, OsmClient

credentials = GlobalCredentials(${JSON.stringify(pair.ak)}, ${JSON.stringify(pair.sk)}, ${JSON.stringify(account.domainId)})
client = (
    OsmClient.new_builder()
    .with_credentials(credentials)
    .with_endpoint(${JSON.stringify(origin)})
    .build()
)
print(client.list_cases(ListCasesRequest()).total_count)`,
    },
    {
      name: 'Java',
      text: `// com.huaweicloud.sdk:huaweicloud-sdk-osm
import com.huaweicloud.sdk.core.auth.GlobalCredentials;
import com.huaweicloud.sdk.core.auth.ICredential;
import com.huaweicloud.sdk.osm.v2.OsmClient;
import com.huaweicloud.sdk.osm.v2.model.ListCasesRequest;
import java.util.Collections;

public class Tickets {
    public static void main(String[] args) {
        ICredential credentials = new GlobalCredentials()
            .withAk(${JSON.stringify(pair.ak)}).withSk(${JSON.stringify(pair.sk)})
            .withDomainId(${JSON.stringify(account.domainId)});
        OsmClient client = OsmClient.newBuilder()
            .withCredential(credentials)
            .withEndpoints(Collections.singletonList(${JSON.stringify(origin)}))
            .build();
        System.out.println(client.listCases(new ListCasesRequest()).getTotalCount());
    }
}`,
    },
    {
      name: 'Token',
      text: `TOKEN=$(curl -s -D - -o /dev/null ${quoted(`${origin}/v3/auth/tokens`)} -H 'Content-Type: application/json' \\
  -d ${quoted(login)} | sed -n 's/^X-Subject-Token: //Ip' | tr -d '\\r')
curl -s ${quoted(`${origin}/v2/servicerequest/cases?limit=10`)} -H "X-Auth-Token: $TOKEN"`,
    },
  ]
}
