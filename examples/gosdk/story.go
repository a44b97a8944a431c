package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"
)

// sourceAPI is the fixed source of tickets that come by the API.
const sourceAPI = "83aeb0f2834c4df49826c781d32a963e"

// The states the story meets.
const (
	toBeProcessed   = 0
	processing      = 1
	toBeConfirmed   = 2
	completed       = 3
	pendingFeedback = 17
)

// story is one ticket's life. Every run uses an address and a word of its own,
// so that it can be told again in the same world.
type story struct {
	client   *osm.OsmClient
	log      func(string, ...any)
	casemate func(args ...string) (string, error)

	word, mail          string
	product, problem    string
	verifiedID, ticket  string
	satisfaction, value int32
}

func ptr[T any](v T) *T { return &v }

func (s *story) tell() error {
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	s.word = "story" + hex.EncodeToString(random)
	s.mail = s.word + "@example.com"
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"catalogue", s.catalogue}, {"template", s.template}, {"prove the contact", s.prove},
		{"create", s.create}, {"find", s.find}, {"talk", s.talk}, {"close with a score", s.close}, {"log", s.readLog},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	s.log("the story of %s is told", s.ticket)
	return nil
}

func (s *story) catalogue() error {
	products, err := s.client.ListProductCategories(&model.ListProductCategoriesRequest{XLanguage: ptr("en-us")})
	if err != nil {
		return err
	}
	if products.IncidentProductCategoryList == nil || len(*products.IncidentProductCategoryList) == 0 {
		return fmt.Errorf("no products")
	}
	for _, p := range *products.IncidentProductCategoryList {
		problems, err := s.client.ListProblemTypes(&model.ListProblemTypesRequest{ProductCategoryId: p.IncidentProductCategoryId, XLanguage: ptr("en-us")})
		if err != nil {
			return err
		}
		for _, t := range *problems.IncidentBusinessTypeList {
			if t.CaseType != nil && *t.CaseType == "0" && t.BusinessTypeId != nil {
				s.product, s.problem = *p.IncidentProductCategoryId, *t.BusinessTypeId
				s.log("%d products; the question is about %s: %s", len(*products.IncidentProductCategoryList), *p.IncidentProductCategoryName, *t.BusinessTypeName)
				break
			}
		}
		if s.problem != "" {
			break
		}
	}
	if s.problem == "" {
		return fmt.Errorf("no problem type of the kind consultation")
	}
	dimensions, err := s.client.ListSatisfactionDimensions(&model.ListSatisfactionDimensionsRequest{})
	if err != nil {
		return err
	}
	d := (*dimensions.SatisfactionDimensionList)[0]
	s.satisfaction, s.value = *d.SatisfactionId, *d.Value
	return nil
}

func (s *story) template() error {
	templates, err := s.client.ListCaseTemplates(&model.ListCaseTemplatesRequest{BusinessTypeId: s.problem, XLanguage: ptr("en-us")})
	if err != nil {
		return err
	}
	s.log("%d templates for the problem type", len(*templates.IncidentTemplateList))
	return nil
}

func (s *story) prove() error {
	need := func() (int32, error) {
		answer, err := s.client.CheckNeedVerify(&model.CheckNeedVerifyRequest{ContactValue: s.mail, ContactWay: 1})
		if err != nil {
			return 0, err
		}
		return *answer.NeedVerifyCode, nil
	}
	if n, err := need(); err != nil || n != 1 {
		return fmt.Errorf("a new address needs no proof: %d, %w", n, err)
	}
	_, err := s.client.SendVerifyCodes(&model.SendVerifyCodesRequest{Body: &model.SendVerifyCodeReq{ContactValue: s.mail, ContactWay: 1, AreaCode: "86"}})
	if err != nil {
		return err
	}
	code, err := s.casemate("outbox", "--to", s.mail, "--code")
	if err != nil {
		return err
	}
	_, err = s.client.CheckVerifyCodes(&model.CheckVerifyCodesRequest{Body: &model.VerifyVerifyCodeV2Req{VerifyCode: code, ContactValue: s.mail, ContactWay: 1}})
	if err != nil {
		return err
	}
	verified, err := s.client.ListHasVerifiedContacts(&model.ListHasVerifiedContactsRequest{ContactWay: ptr(int32(1)), ContactValue: &s.mail})
	if err != nil {
		return err
	}
	if n := len(*verified.ContactList); n != 1 || *verified.Count != 1 {
		return fmt.Errorf("%d verified contacts for %s, want 1", n, s.mail)
	}
	s.verifiedID = *(*verified.ContactList)[0].VerifiedId
	if n, err := need(); err != nil || n != 0 {
		return fmt.Errorf("a proved address still needs proof: %d, %w", n, err)
	}
	s.log("%s is proved by a code", s.mail)
	return nil
}

func (s *story) create() error {
	created, err := s.client.CreateCases(&model.CreateCasesRequest{
		XEmailVerifiedid: &s.verifiedID,
		Body: &model.CreateOrderIncidentV2Req{
			ProductCategoryId: &s.product,
			BusinessTypeId:    s.problem,
			SimpleDescription: "无法登录云服务器 cannot log in, reference " + s.word,
			SourceId:          sourceAPI,
			RemindMail:        &s.mail,
			RemindTime:        ptr("0"),
		}})
	if err != nil {
		return err
	}
	s.ticket = *created.IncidentId
	s.log("ticket %s", s.ticket)
	return s.status(toBeProcessed)
}

func (s *story) find() error {
	for name, filter := range map[string]*model.ListCasesRequest{
		"number":  {IncidentId: &s.ticket},
		"word":    {SearchKey: ptr([]string{s.word})},
		"Chinese": {SearchKey: ptr([]string{"云服务器", s.word})},
		"app key": {AppKey: ptr(s.ticket[:len(s.ticket)-3])},
	} {
		list, err := s.client.ListCases(filter)
		if err != nil {
			return err
		}
		if *list.TotalCount != 1 || len(*list.IncidentInfoList) != 1 || (*list.IncidentInfoList)[0].IncidentId != s.ticket {
			return fmt.Errorf("by %s: %d tickets found, want the one", name, *list.TotalCount)
		}
	}
	all, err := s.client.ListCases(&model.ListCasesRequest{Status: ptr(int32(toBeProcessed)), Limit: ptr(int32(1))})
	if err != nil {
		return err
	}
	counts, err := s.client.ListCaseCounts(&model.ListCaseCountsRequest{})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(*counts.IncidentStatusCounts, func(c model.IncidentStatusCount) bool { return *c.Status == toBeProcessed })
	if i < 0 || *(*counts.IncidentStatusCounts)[i].Count != *all.TotalCount {
		return fmt.Errorf("the count of new tickets differs from the list's total %d", *all.TotalCount)
	}
	detail, err := s.client.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: s.ticket})
	if err != nil {
		return err
	}
	if !strings.Contains(detail.IncidentDetailInfo.SimpleDescription, s.word) {
		return fmt.Errorf("the detail tells another description: %q", detail.IncidentDetailInfo.SimpleDescription)
	}
	s.log("found by number, word, Chinese words and part of the number; %d new tickets in all", *all.TotalCount)
	return nil
}

func (s *story) talk() error {
	if err := s.say("The instance is i-" + s.word); err != nil {
		return err
	}
	if err := s.engineer("accept", "", processing); err != nil {
		return err
	}
	if err := s.engineer("ask", "Which image does the server use?", pendingFeedback); err != nil {
		return err
	}
	if err := s.say("Debian 12"); err != nil {
		return err
	}
	if err := s.status(processing); err != nil {
		return err
	}
	if err := s.engineer("resolve", "Reset the password in the console, then log in again.", toBeConfirmed); err != nil {
		return err
	}
	messages, err := s.client.ListMessages(&model.ListMessagesRequest{CaseId: s.ticket, Limit: ptr(int32(100))})
	if err != nil {
		return err
	}
	var sides []int32
	for _, m := range *messages.MessageList {
		sides = append(sides, *m.Type)
	}
	if want := []int32{0, 0, 1, 0, 1}; !slices.Equal(sides, want) || *messages.Count != int32(len(want)) {
		return fmt.Errorf("messages by side %v, want %v", sides, want)
	}
	s.log("%d messages, oldest first", len(sides))
	return nil
}

func (s *story) say(text string) error {
	_, err := s.client.CreateMessages(&model.CreateMessagesRequest{CaseId: s.ticket,
		Body: &model.CreateMessageV2Req{Message: &model.CreateMessageDoV2{Content: text}}})
	return err
}

func (s *story) engineer(step, text string, want int32) error {
	args := []string{"desk", step, s.ticket}
	if text != "" {
		args = append(args, text)
	}
	if _, err := s.casemate(args...); err != nil {
		return err
	}
	return s.status(want)
}

func (s *story) status(want int32) error {
	answer, err := s.client.ShowCaseStatus(&model.ShowCaseStatusRequest{CaseId: s.ticket})
	if err != nil {
		return err
	}
	if *answer.Status != want {
		return fmt.Errorf("status %d, want %d", *answer.Status, want)
	}
	return nil
}

func (s *story) close() error {
	_, err := s.client.UpdateCases(&model.UpdateCasesRequest{CaseId: s.ticket, ActionId: "close", Body: &model.WorkOrderOperateV2Req{
		Judgement:                ptr("quick and clear"),
		IncidentSatisfactionList: &[]model.IncidentSatisfactionV2Do{{SatisfactionId: s.satisfaction, SatisfactionValue: s.value}},
	}})
	if err != nil {
		return err
	}
	if err := s.status(completed); err != nil {
		return err
	}
	detail, err := s.client.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: s.ticket})
	if err != nil {
		return err
	}
	scores := detail.IncidentDetailInfo.IncidentSatisfaction
	if detail.IncidentDetailInfo.Judgement != "quick and clear" || len(scores) != 1 || scores[0].SatisfactionValue != s.value {
		return fmt.Errorf("the score is not kept: %q, %v", detail.IncidentDetailInfo.Judgement, scores)
	}
	s.log("closed with %d of %d points", s.value, s.value)
	return nil
}

func (s *story) readLog() error {
	logs, err := s.client.ListCaseOperateLogs(&model.ListCaseOperateLogsRequest{CaseId: s.ticket, Limit: ptr(int32(100))})
	if err != nil {
		return err
	}
	var codes []int32
	for _, l := range *logs.IncidentOperateLogList {
		codes = append(codes, *l.OperateType)
	}
	// Newest first: evaluated and closed, replied while feedback was pending, created.
	slices.Sort(codes)
	if want := []int32{0, 3, 5, 85}; !slices.Equal(codes, want) {
		return fmt.Errorf("log codes %v, want %v", codes, want)
	}
	s.log("log codes %v", codes)
	return nil
}
